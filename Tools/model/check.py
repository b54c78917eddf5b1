"""Model checker for the ownership of a guest during a migration.

It couples the two machines of source.table and destination.table by a network that may lose, delay
or cut anything, lets either process die and either user cancel at any moment, and visits every
state that can be reached. The same tables are checked against the Swift machines by the unit tests,
so what holds here holds for the code.

In every state:
  1. never do both ends run the guest;
  2. the source never runs a guest that has run at the destination;
  3. before the point of no return a source that notices a fault takes the guest back at once;
  4. a doubt ends by Running, by Returned or, on shared memory, by a death with the flag clear -
     and Returned is only ever believed when the destination has refused;
  5. a source gives the guest up only when the destination has run it;
  6. as long as both processes live, somebody can still end up running the guest.

Run without arguments it checks the tables, and then that it finds the fault in each of several
tables that were broken on purpose.
"""

import pathlib
import sys
from collections import deque
from typing import NamedTuple, Optional

FOLDER = pathlib.Path(__file__).parent

# Source states in which the guest runs, or in which nothing stops the owner from running it.
SOURCE_RUNS = {"Negotiating", "Configuring", "PreCopy", "Recovered"}
BEFORE_POINT_OF_NO_RETURN = {
    "Negotiating", "Configuring", "PreCopy", "FinalRound", "AwaitReady", "Releasing"}
REFUSED = {"Returned", "Cancelled"}


class Violation(Exception):
    """A property that does not hold, with the events that lead there."""


class State(NamedTuple):
    """Both ends and everything between them."""

    source: str = "Negotiating"
    destination: str = "Listening"
    pending: str = ""  # the request whose answer the source awaits
    requests: tuple = ()  # on the way to the destination
    answers: tuple = ()  # on the way to the source
    connected: bool = True  # bytes can still be sent; what is on the way may arrive after that
    source_knows: bool = False  # the source has seen the end of the connection
    destination_knows: bool = False
    source_alive: bool = True
    destination_alive: bool = True
    inquiry: str = ""  # "asked", or the answer on its way back
    has_run: bool = False  # a guest instruction ran at the destination (on shared memory: the flag)


def base(label: str) -> str:
    return label.split("+")[0]


class Table:
    """Transitions of one machine for one kind of peer and one mode."""

    def __init__(self, rows, wildcard_answers: bool):
        self.rows = {}
        for state, event, following, result in rows:
            if (state, event) in self.rows:
                raise SystemExit(f"two rows for {state} {event}")
            self.rows[state, event] = (following, result)
        self.wildcard_answers = wildcard_answers

    def find(self, state: str, event: str) -> Optional[tuple]:
        patterns = [event]
        if ":" in event:
            patterns.append(event.split(":")[0] + ":*")
            if self.wildcard_answers and event[0].isupper():
                patterns.append("*:*")
        elif event[0].isupper():
            patterns.append("*")
        for pattern in patterns:
            if (state, pattern) in self.rows:
                return self.rows[state, pattern]
        return None

    def sends(self, state: str):
        """The requests that may be sent in a state, and the state after each."""
        for (row_state, event), (following, _) in self.rows.items():
            if row_state == state and event.startswith("send:"):
                yield event[5:], following


def read(name: str, columns: int):
    for line in (FOLDER / name).read_text().splitlines():
        words = line.split("#")[0].split()
        if words:
            if len(words) != columns:
                raise SystemExit(f"{name}: a row has {len(words)} words: {line}")
            yield words


def source_table(peer: str, mode: str) -> Table:
    rows = [row[2:] for row in read("source.table", 6)
            if row[0] in (peer, "any") and row[1] in (mode, "any")]
    return Table(rows, wildcard_answers=True)


def destination_table(peer: str) -> Table:
    rows = [row[1:] for row in read("destination.table", 5) if row[0] in (peer, "any")]
    return Table(rows, wildcard_answers=False)


class Model:
    """All that can happen next in a state."""

    def __init__(self, peer: str, mode: str, source: Table, destination: Table):
        self.peer, self.mode = peer, mode
        self.source, self.destination = source, destination

    def successors(self, state: State):
        """Every (event, state) that may follow."""
        if state.source_alive:
            yield from self.source_steps(state)
        if state.destination_alive:
            yield from self.destination_steps(state)
        yield from self.faults(state)

    # The source

    def source_steps(self, state: State):
        if not state.pending:
            for command, following in self.source.sends(state.source):
                yield f"source sends {command}", self.send(state, command, following)
            yield from self.source_event(state, "paused")
        if state.answers:
            yield self.deliver_answer(state)
        elif not state.connected and not state.source_knows:
            for event, following in self.source_event(state, "fail"):
                yield "source loses the connection", following._replace(source_knows=True)
        # A silent peer, a step that fails, a person who cancels: at any time.
        for event in ("fail", "cancel"):
            yield from self.source_event(state, event)
        if state.source == "InDoubt" and self.peer == "martlet":
            if not state.inquiry:
                yield "source inquires", state._replace(inquiry="asked")
            elif state.inquiry != "asked":
                for event, following in self.source_event(state, f"inquiry:{state.inquiry}"):
                    yield event, following._replace(inquiry="")
        if self.mode == "local" and not state.destination_alive:
            flag = "set" if state.has_run else "clear"
            yield from self.source_event(state, f"died:{flag}")

    def send(self, state: State, command: str, following: str) -> State:
        requests = state.requests + (command,) if state.connected else state.requests
        return state._replace(source=following, pending=command, requests=requests)

    def deliver_answer(self, state: State):
        answer, rest = state.answers[0], state.answers[1:]
        event = f"{state.pending}:{answer}" if state.pending else f"unasked:{answer}"
        row = self.source.find(state.source, event)
        following = row[0] if row else state.source
        return (f"source gets {event}",
                self.source_at(state._replace(answers=rest, pending=""), following, event))

    def source_event(self, state: State, event: str):
        row = self.source.find(state.source, event)
        if row:
            yield f"source {event}", self.source_at(state, row[0], event)

    def source_at(self, state: State, following: str, event: str) -> State:
        if following == "Recovered" and base(state.source) != "Recovered":
            self.check_recovery(state, event)
        if following == state.source:
            return state
        over = {"Recovered", "InDoubt", "Gone", "Lost"}
        if following in over:  # the source closes the main connection
            state = state._replace(pending="", answers=(), connected=False, source_knows=True)
        return state._replace(source=following)

    def check_recovery(self, state: State, event: str):
        if base(state.source) in BEFORE_POINT_OF_NO_RETURN:
            return
        dead_and_clean = (self.mode == "local" and not state.destination_alive
                          and not state.has_run)
        if state.destination not in REFUSED and not dead_and_clean:
            raise Violation(f"4: {event} frees the source while the destination is "
                            f"{state.destination}")

    # The destination

    def destination_steps(self, state: State):
        busy = state.destination in ("Loading", "TakingOver")
        if state.requests and not busy:
            yield self.deliver_request(state)
        elif not state.connected and not state.destination_knows and not busy:
            for event, following in self.destination_event(state, "lost"):
                yield event, following._replace(destination_knows=True)
        for event in ("done", "fail", "cancel"):
            yield from self.destination_event(state, event)
        if state.inquiry == "asked" and self.peer == "martlet":
            row = self.destination.find(state.destination, "inquiry")
            following, answer = row if row else (state.destination, "Unknown")
            yield (f"destination answers the inquiry with {answer}",
                   self.destination_at(state, following)._replace(inquiry=answer))

    def deliver_request(self, state: State):
        command, rest = state.requests[0], state.requests[1:]
        arrived = state._replace(requests=rest)
        row = self.destination.find(state.destination, command)
        if row is None:  # refused: the driver calls fail
            row = self.destination.find(state.destination, "fail")
            command += " (refused)"
        following, answer = row
        return f"destination gets {command}", self.say(
            self.destination_at(arrived, following), answer)

    def destination_event(self, state: State, event: str):
        row = self.destination.find(state.destination, event)
        if row:
            yield f"destination {event}", self.say(self.destination_at(state, row[0]), row[1])

    def destination_at(self, state: State, following: str) -> State:
        if following == "Running":
            return state._replace(destination=following, has_run=True)
        return state._replace(destination=following)

    def say(self, state: State, answer: str) -> State:
        if answer == "-" or not state.connected:
            return state
        return state._replace(answers=state.answers + (answer,))

    # Between and around them

    def faults(self, state: State):
        # What was sent before the end may still arrive, but any tail of it may be lost.
        for kept_requests in range(len(state.requests) + 1):
            for kept_answers in range(len(state.answers) + 1):
                yield "connection breaks", state._replace(
                    connected=False, requests=state.requests[:kept_requests],
                    answers=state.answers[:kept_answers])
        if state.inquiry:
            yield "inquiry or its answer is lost", state._replace(inquiry="")
        if state.source_alive:
            yield "source dies", state._replace(
                source_alive=False, connected=False, answers=(), inquiry="", pending="")
        if state.destination_alive:
            yield "destination dies", state._replace(
                destination_alive=False, connected=False, requests=(), inquiry="")

    # Properties

    def check(self, state: State):
        source_runs = state.source_alive and base(state.source) in SOURCE_RUNS
        destination_runs = state.destination_alive and state.destination == "Running"
        if source_runs and destination_runs:
            raise Violation("1: both ends run the guest")
        if source_runs and state.has_run:
            raise Violation("2: the source runs a guest that has run at the destination")
        if base(state.source) in BEFORE_POINT_OF_NO_RETURN:
            for event in ("fail", "cancel"):
                row = self.source.find(state.source, event)
                if not row or row[0] != "Recovered":
                    raise Violation(f"3: {event} in {state.source} does not bring the guest back")
        if state.source == "Gone" and not state.has_run:
            raise Violation("5: the source gave up a guest that runs nowhere")

    def is_settled(self, state: State) -> bool:
        """Somebody has the guest, or the base protocol leaves the decision to a person."""
        return (state.source in ("Recovered", "Gone", "Lost")
                or (self.peer == "base" and state.source == "InDoubt"))

    @staticmethod
    def both_live(state: State) -> bool:
        return state.source_alive and state.destination_alive


def explore(model: Model) -> int:
    """Visits every state; raises Violation with the way there. Returns how many there are."""
    start = State()
    origin = {start: None}
    backwards = {}
    queue = deque([start])
    while queue:
        state = queue.popleft()
        try:
            model.check(state)
            for event, following in model.successors(state):
                backwards.setdefault(following, []).append(state)
                if following not in origin:
                    origin[following] = (state, event)
                    queue.append(following)
        except Violation as violation:
            raise Violation(f"{violation}\n{trace(origin, state)}") from None
    check_progress(model, origin, backwards)
    return len(origin)


def check_progress(model: Model, origin, backwards):
    """Property 6: while both live, a settled state can be reached without a death."""
    settles = {state for state in origin if model.is_settled(state) and model.both_live(state)}
    queue = deque(settles)
    while queue:
        for before in backwards.get(queue.popleft(), ()):
            if before not in settles and model.both_live(before):
                settles.add(before)
                queue.append(before)
    for state in origin:
        if state not in settles and model.both_live(state):
            raise Violation(f"6: nobody ever runs the guest\n{trace(origin, state)}")


def trace(origin, state) -> str:
    events = []
    at = state
    while origin[at]:
        at, event = origin[at]
        events.append(f"  {event}")
    return "\n".join(reversed(events)) + f"\n  = {state}"


# Tables broken on purpose: peer, mode, machine, state, event, and what it becomes.
MUTANTS = [
    ("martlet", "preCopy", "source", "PointOfNoReturn", "fail", ("Recovered", "recover")),
    ("martlet", "preCopy", "source", "InDoubt", "inquiry:Unknown", ("Recovered", "recover")),
    ("martlet", "preCopy", "source", "InDoubt", "inquiry:Returned", ("Gone", "end")),
    ("martlet", "preCopy", "source", "InDoubt", "inquiry:Running", ("InDoubt", "inquire")),
    ("martlet", "preCopy", "source", "Releasing", "fail", ("InDoubt", "inquire")),
    ("martlet", "preCopy", "source", "PointOfNoReturn", "Takeover:Returned", ("Gone", "end")),
    ("martlet", "preCopy", "destination", "Prepared", "inquiry", ("Prepared", "Returned")),
    ("martlet", "preCopy", "destination", "TakingOver", "inquiry", ("TakingOver", "Returned")),
    ("martlet", "preCopy", "destination", "Returned", "*", ("TakingOver", "-")),
    ("martlet", "preCopy", "destination", "Running", "fail", ("Returned", "Returned")),
    ("martlet", "preCopy", "destination", "Prepared", "lost", ("TakingOver", "-")),
    ("martlet", "local", "source", "InDoubt", "died:set", ("Recovered", "recover")),
    ("base", "preCopy", "source", "PointOfNoReturn", "fail", ("Recovered", "recover")),
    ("base", "preCopy", "source", "PointOfNoReturn", "*:*", ("Gone", "end")),
]


def make(peer: str, mode: str) -> Model:
    return Model(peer, mode, source_table(peer, mode), destination_table(peer))


def main() -> int:
    for peer in ("base", "martlet"):
        for mode in ("preCopy", "local"):
            model = make(peer, mode)
            # Whatever a person decides is outside of the model.
            model.source.rows = {key: row for key, row in model.source.rows.items()
                                 if not key[1].startswith("operator:")}
            try:
                count = explore(model)
            except Violation as violation:
                print(f"{peer} {mode}: property {violation}", file=sys.stderr)
                return 1
            print(f"{peer} {mode}: {count} states, all properties hold")
    return check_mutants()


def check_mutants() -> int:
    for peer, mode, machine, state, event, becomes in MUTANTS:
        model = make(peer, mode)
        table = getattr(model, machine)
        if (state, event) not in table.rows:
            print(f"a mutant names the unknown row {state} {event}", file=sys.stderr)
            return 1
        table.rows[state, event] = becomes
        try:
            explore(model)
        except Violation:
            continue
        print(f"not noticed: {machine} {state} {event} -> {becomes[0]}", file=sys.stderr)
        return 1
    print(f"{len(MUTANTS)} broken tables, all of them noticed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
