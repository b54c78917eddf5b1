"""Writes the model that spin checks: the rows of both tables as macros, then ownership.pml.

    promela.py PEER MODE [MACHINE STATE EVENT NEXT RESULT]

PEER is martlet or base, MODE preCopy or local. With five more words one row leads elsewhere, which
spin must notice.
"""

import sys

from check import FOLDER, BEFORE_POINT_OF_NO_RETURN, SOURCE_RUNS, base, make

STANDS_STILL = {"FinalRound", "AwaitReady", "Releasing"}
OVER = {"Recovered", "InDoubt", "Gone", "Lost"}
ANSWERS = ["Ok", "Error", "Running", "Returned", "Unknown"]


def name(prefix: str, state: str) -> str:
    return prefix + state.replace("+", "_with_")


class Writer:
    """The macros of one pair of machines."""

    def __init__(self, peer: str, mode: str, change):
        model = make(peer, mode)
        self.peer, self.mode = peer, mode
        self.source, self.destination = model.source, model.destination
        # Whatever a person decides is outside of the model.
        self.source.rows = {key: row for key, row in self.source.rows.items()
                            if not key[1].startswith("operator:")}
        if change:
            machine, state, event, following, result = change
            rows = getattr(model, machine).rows
            if (state, event) not in rows:
                raise SystemExit(f"there is no row {state} {event}")
            rows[state, event] = (following, result)
        self.source_states = self.states(self.source, {"Lost"})
        self.destination_states = self.states(self.destination, set())
        self.commands = sorted({event[5:] for _, event in self.source.rows
                                if event.startswith("send:")})

    @staticmethod
    def states(table, more) -> list:
        found = set(more)
        for (state, _), (following, _) in table.rows.items():
            found |= {state, following}
        return sorted(found)

    def lines(self):
        yield f"/* {self.peer}, {self.mode}: written by promela.py */"
        yield f"#define MARTLET {int(self.peer == 'martlet')}"
        yield "#define NONE 0"
        for prefix, values in (("S_", self.source_states), ("D_", self.destination_states),
                               ("C_", self.commands)):
            for number, value in enumerate(values):
                yield f"#define {name(prefix, value)} {number + 1}"
        # Above ASKED, so that an inquiry can hold them.
        for number, value in enumerate(ANSWERS):
            yield f"#define A_{value} {number + 2}"
        yield self.predicate("SOURCE_MAY_RUN", "S_", self.source_states, SOURCE_RUNS)
        yield self.predicate("SOURCE_STANDS_STILL", "S_", self.source_states, STANDS_STILL)
        yield self.predicate("SOURCE_HAS_GUEST", "S_", self.source_states,
                             BEFORE_POINT_OF_NO_RETURN | {"Recovered"})
        yield self.predicate("SOURCE_IS_OVER", "S_", self.source_states, OVER)
        yield self.predicate("DESTINATION_BUSY", "D_", self.destination_states,
                             {"Loading", "TakingOver"})
        yield self.predicate("DESTINATION_REFUSED", "D_", self.destination_states,
                             {"Returned", "Cancelled"})
        yield self.macro("SOURCE_SENDS", self.source_sends())
        yield self.macro("SOURCE_EVENTS", self.source_events())
        yield self.macro("SOURCE_TAKES(answer)", self.choice(self.source_takes()))
        yield self.macro("SOURCE_LEARNS(answer)", self.choice(self.source_learns()))
        yield self.macro("SOURCE_FAILS", self.choice(self.source_fails()))
        yield self.macro("DESTINATION_EVENTS", self.destination_events())
        yield self.macro("DESTINATION_TAKES(command)", self.choice(self.destination_takes()))
        yield self.macro("DESTINATION_SAYS", self.choice(self.destination_says()))

    @staticmethod
    def macro(head: str, lines) -> str:
        return f"#define {head} " + " \\\n    ".join(lines)

    @staticmethod
    def predicate(head: str, prefix: str, states, chosen) -> str:
        tests = [f"(s) == {name(prefix, state)}" for state in states if base(state) in chosen]
        return f"#define {head}(s) ({' || '.join(tests) or 'false'})"

    @staticmethod
    def choice(lines) -> list:
        return ["if", *lines, ":: else -> skip", "fi"]

    @staticmethod
    def grouped(rows):
        """Rows (key, value) with equal values, as (keys, value): a model with fewer lines."""
        groups = {}
        for key, value in rows:
            groups.setdefault(value, []).append(key)
        return [(keys, value) for value, keys in groups.items()]

    @staticmethod
    def either(variable: str, prefix: str, values) -> str:
        return "(" + " || ".join(f"{variable} == {name(prefix, value)}"
                                 for value in dict.fromkeys(values)) + ")"

    def source_sends(self):
        rows = [(state, (event[5:], following))
                for (state, event), (following, _) in sorted(self.source.rows.items())
                if event.startswith("send:")]
        for states, (command, following) in self.grouped(rows):
            guard = self.either("source", "S_", states)
            if base(following) == "PointOfNoReturn":
                guard += " && source_journal == GIVING_AWAY"
            yield (f":: atomic {{ source_alive && pending == NONE && {guard} -> "
                   f"if :: connected -> requests!C_{command} :: else -> skip fi; "
                   f"pending = C_{command}; source = {name('S_', following)}; source_moved() }}")

    def source_events(self):
        events = [("paused", "pending == NONE"), ("fail", "true"), ("cancel", "true")]
        if self.mode == "local":
            events += [("died:clear", "!destination_alive && !has_run"),
                       ("died:set", "!destination_alive && has_run")]
        for event, guard in events:
            rows = [(state, row[0]) for state in self.source_states
                    if (row := self.source.find(state, event)) and row[0] != state]
            for states, following in self.grouped(rows):
                yield (f":: atomic {{ source_alive && {guard} && "
                       f"{self.either('source', 'S_', states)} -> "
                       f"source = {name('S_', following)}; source_moved() }}")

    def source_takes(self):
        rows = [((state, command, answer), row[0])
                for state in self.source_states for command in [None, *self.commands]
                for answer in ANSWERS
                if (row := self.source.find(state, f"{command or 'unasked'}:{answer}"))
                and row[0] != state]
        for keys, following in self.grouped(rows):
            tests = [f"(source == {name('S_', state)} && pending == "
                     f"{'C_' + command if command else 'NONE'} && answer == A_{answer})"
                     for state, command, answer in keys]
            yield f":: {' || '.join(tests)} -> source = {name('S_', following)}"

    def source_learns(self):
        for (state, event), (following, _) in sorted(self.source.rows.items()):
            if event.startswith("inquiry:") and following != state:
                yield (f":: source == {name('S_', state)} && answer == A_{event[8:]} -> "
                       f"source = {name('S_', following)}")

    def source_fails(self):
        rows = [(state, row[0]) for state in self.source_states
                if (row := self.source.find(state, "fail")) and base(state) in STANDS_STILL]
        for states, following in self.grouped(rows):
            yield (f":: {self.either('source', 'S_', states)} -> "
                   f"source = {name('S_', following)}")

    @staticmethod
    def destination_goes(row) -> str:
        following, answer = row
        runs = "has_run = true; " if following == "Running" else ""
        says = f"; say(A_{answer})" if answer != "-" else ""
        return f"destination = {name('D_', following)}; {runs}destination_moved(){says}"

    def destination_events(self):
        guards = {
            "done": "true", "fail": "true", "cancel": "true",
            "lost": "!connected && empty(requests) && !destination_knows && "
                    "!DESTINATION_BUSY(destination)"}
        for event, guard in guards.items():
            rows = [(state, row) for state in self.destination_states
                    if (row := self.destination.find(state, event)) and row != (state, "-")]
            for states, row in self.grouped(rows):
                if row[0] == "Running":
                    guard = "destination_journal == TAKING_OVER"
                extra = "destination_knows = true; " if event == "lost" else ""
                yield (f":: atomic {{ destination_alive && {guard} && "
                       f"{self.either('destination', 'D_', states)} -> "
                       f"{extra}{self.destination_goes(row)} }}")

    def destination_takes(self):
        # What is refused is a failure.
        rows = [((state, command), self.destination.find(state, command)
                 or self.destination.find(state, "fail"))
                for state in self.destination_states for command in self.commands]
        for keys, row in self.grouped(rows):
            tests = [f"(destination == {name('D_', state)} && command == C_{command})"
                     for state, command in keys]
            yield f":: {' || '.join(tests)} -> {self.destination_goes(row)}"

    def destination_says(self):
        rows = [(state, self.destination.find(state, "inquiry") or (state, "Unknown"))
                for state in self.destination_states]
        for states, (following, answer) in self.grouped(rows):
            yield (f":: {self.either('destination', 'D_', states)} -> "
                   f"destination = {name('D_', following)}; inquiry = A_{answer}; destination_moved()")


def main() -> int:
    peer, mode, *change = sys.argv[1:]
    for line in Writer(peer, mode, change).lines():
        print(line)
    print((FOLDER / "ownership.pml").read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
