/* Who owns a guest during a migration: the model that spin checks.
 *
 * `promela.py` puts the rows of source.table and destination.table in front of this file, as the
 * macros SOURCE_SENDS, SOURCE_TAKES, DESTINATION_TAKES and so on; so the machines are those which
 * the unit tests compare with the Swift code. What is here is the world around them: a network
 * that delays, cuts and loses, deaths of either process, silence, cancels, time, and the journals.
 *
 * What is claimed is at the end of this file.
 */

#define LIMIT 3 /* ticks: blackout_limit_ms */

/* Decisions in a journal. */
#define NOTHING     0
#define GIVING_AWAY 1 /* source: Takeover may leave from now on */
#define GAVE_AWAY   2 /* source: the destination has said Running */
#define TOOK_BACK   3 /* source: the guest is here again */
#define LOST        4 /* source: the guest ran there, and that process is dead */
#define TAKING_OVER 5 /* destination: guest instructions may run from now on */
#define REFUSED     6 /* destination: none ever will */

/* Questions and answers on a connection of their own. */
#define SILENT 0
#define ASKED  1

byte source = S_Negotiating, destination = D_Listening;
byte pending = NONE;               /* the request whose answer the source awaits */
chan requests = [2] of { byte };   /* on the way to the destination */
chan answers = [4] of { byte };    /* on the way to the source */
bool connected = true;             /* more can be sent; what is on the way may still arrive */
bool destination_knows = false;    /* that the connection has ended */
bool source_alive = true, destination_alive = true;
byte inquiry = SILENT;             /* ASKED, or the answer on its way back */
bool has_run = false;              /* a guest instruction ran at the destination */
byte source_journal = NOTHING, destination_journal = NOTHING;
bool learned = false;              /* an inquiry was answered with a decision */
byte stood = 0;                    /* ticks for which the guest stands still, before the point of
                                      no return */

#define source_runs      (source_alive && SOURCE_MAY_RUN(source))
#define destination_runs (destination_alive && destination == D_Running)
#define blackout         (source_alive && SOURCE_STANDS_STILL(source))
#define source_has_it    (source_alive && SOURCE_HAS_GUEST(source))
#define reason           (source_journal != NOTHING || !source_alive)

/* What is on the way is lost with what carries it. */
inline lose(channel) { do :: nempty(channel) -> channel?_ :: empty(channel) -> break od }

inline source_closes() {
    connected = false; pending = NONE; lose(answers)
}

/* The source is in another state: what that means for the connection, time and the journal. */
inline source_moved() {
    if
    :: SOURCE_IS_OVER(source) -> source_closes()
    :: else -> skip
    fi;
    if
    :: !SOURCE_STANDS_STILL(source) -> stood = 0
    :: else -> skip
    fi
}

inline say(answer) {
    if
    :: answer != NONE && connected -> answers!answer
    :: else -> skip
    fi
}

/* A refusal is recorded before it is said. */
inline destination_moved() {
    if
    :: DESTINATION_REFUSED(destination) -> destination_journal = REFUSED
    :: else -> skip
    fi
}

active proctype Source() {
    byte got;
    end: do
    SOURCE_SENDS
    SOURCE_EVENTS
    :: atomic { source_alive && nempty(answers) ->
        answers?got;
        SOURCE_TAKES(got);
        pending = NONE; source_moved(); got = 0 }
    :: atomic { source_alive && source == S_Releasing && source_journal == NOTHING ->
        source_journal = GIVING_AWAY }
    /* What came of it is written down afterwards; until then the journal leaves it open. */
    :: atomic { source_alive && source == S_Gone && source_journal == GIVING_AWAY ->
        source_journal = GAVE_AWAY }
    :: atomic { source_alive && source == S_Recovered && source_journal == GIVING_AWAY ->
        source_journal = TOOK_BACK }
    :: atomic { source_alive && source == S_Lost && source_journal == GIVING_AWAY ->
        source_journal = LOST }
    :: atomic { MARTLET && source_alive && source == S_InDoubt && inquiry == SILENT ->
        inquiry = ASKED }
    :: atomic { MARTLET && source_alive && source == S_InDoubt && inquiry > ASKED ->
        learned = (inquiry != A_Unknown);
        SOURCE_LEARNS(inquiry); inquiry = SILENT; source_moved() }
    od
}

active proctype Destination() {
    byte got;
    end: do
    DESTINATION_EVENTS
    :: atomic { destination_alive && nempty(requests) && !DESTINATION_BUSY(destination) ->
        requests?got;
        DESTINATION_TAKES(got);
        got = 0 }
    :: atomic { destination_alive && destination == D_TakingOver &&
            destination_journal != TAKING_OVER ->
        destination_journal = TAKING_OVER }
    :: atomic { MARTLET && destination_alive && inquiry == ASKED -> DESTINATION_SAYS }
    od
}

/* What was sent before the end may arrive or not; processes die; questions get lost. Or not. */
active proctype Fate() {
    end: do
    :: true -> skip
    :: atomic { connected -> connected = false }
    :: atomic { !connected && nempty(requests) -> lose(requests) }
    :: atomic { !connected && nempty(answers) -> lose(answers) }
    :: atomic { inquiry != SILENT -> inquiry = SILENT }
    :: atomic { source_alive ->
        source_alive = false; source_closes(); inquiry = SILENT; stood = 0 }
    :: atomic { destination_alive ->
        destination_alive = false; connected = false; lose(requests); inquiry = SILENT }
    od
}

/* Time goes on until the limit; what the source has to do then, it has to do first. */
active proctype Clock() {
    end: do
    :: atomic { blackout && stood < LIMIT -> stood++ }
    od
}

active proctype Deadline() {
    end: do
    :: atomic { blackout && stood == LIMIT -> SOURCE_FAILS; source_moved() }
    od
}

/* Never do both ends run the guest. */
ltl one_owner { [] !(source_runs && destination_runs) }

/* Nor does the source run a guest that has run at the destination. */
ltl never_stale { [] !(source_runs && has_run) }

/* When nobody has the guest, the source's journal says why, or the source died with it before it
 * gave it away, which its journal shows by saying nothing. */
ltl owner_or_reason { [] (source_has_it || destination_runs || reason) }

/* What the journals say did happen, and what they exclude did not. */
ltl journals_are_true { [] ((!has_run || source_journal != NOTHING) &&
    (!has_run || destination_journal == TAKING_OVER) &&
    !(has_run && source_journal == TOOK_BACK) &&
    (source_journal != GAVE_AWAY || has_run) &&
    (source_journal != LOST || has_run)) }

/* An answer to an inquiry ends the doubt. */
ltl doubt_ends { [] (learned -> source != S_InDoubt) }

/* A guest that stands still before the point of no return runs again at the source within LIMIT
 * ticks, unless within them the source dies or gives it away. */
ltl bounded { [] (stood <= LIMIT) }
ltl returns { [] (blackout -> <> (!blackout)) }
