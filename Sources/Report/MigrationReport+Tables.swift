import ControlAPI

/// The tables below the plots.
extension MigrationReport {
    /// The passes over the memory.
    func rounds(_ main: MigrationTimelineReport) -> Markup {
        guard !main.rounds.isEmpty else { return .empty }
        return .element("section", ["id": "rounds"]) {
            Markup.element("h2") { "Rounds" }
            Markup.element("div", ["class": "card wide"]) {
                Markup.element("table") {
                    Markup.element("thead") {
                        row(
                            "th",
                            [
                                "round", "began", "took", "pages", "sent", "rate", "dirtied",
                                "dirty rate",
                            ])
                    }
                    Markup.element("tbody") {
                        for round in main.rounds { row("td", cells(round)) }
                    }
                }
            }
        }
    }

    private func cells(_ round: MigrationTimelineReport.Round) -> [String] {
        let last = round.number &+ max(round.count, 1) &- 1
        return [
            round.count > 1 ? "\(round.number)\u{2013}\(last)" : "\(round.number)",
            Amount.time(milliseconds: round.atMilliseconds),
            Amount.time(milliseconds: round.milliseconds), "\(round.pages)",
            Amount.bytes(round.bytes), "\(Amount.bytes(round.rateBytesPerSecond))/s",
            round.dirtiedBytes.map { Amount.bytes($0) } ?? "-",
            round.dirtyRateBytesPerSecond.map { "\(Amount.bytes($0))/s" } ?? "-",
        ]
    }

    /// What was decided.
    func notes(_ main: MigrationTimelineReport) -> Markup {
        guard !main.notes.isEmpty else { return .empty }
        return .element("section", ["id": "notes"]) {
            Markup.element("h2") { "Decisions" }
            Markup.element("div", ["class": "card wide"]) {
                Markup.element("table") {
                    Markup.element("tbody") {
                        for note in main.notes {
                            Markup.element("tr") {
                                Markup.element("td") {
                                    Amount.time(milliseconds: note.atMilliseconds)
                                }
                                Markup.element("td", ["class": "words"]) { note.text }
                            }
                        }
                    }
                }
                if main.missingNotes > 0 {
                    Markup.element("p", ["class": "none"]) {
                        "\(main.missingNotes) more were not written down."
                    }
                }
            }
        }
    }

    /// What the ends were asked for.
    func settings() -> Markup {
        .element("section", ["id": "settings"]) {
            Markup.element("h2") { "Settings" }
            Markup.element("div", ["class": "card wide"]) {
                for timeline in [source, destination].compactMap(\.self) {
                    Markup.element("table", ["class": "settings"]) {
                        Markup.element("caption") { "At the \(timeline.end.rawValue)" }
                        Markup.element("tbody") {
                            for (key, value) in timeline.settings.sorted(by: { $0.key < $1.key }) {
                                Markup.element("tr") {
                                    Markup.element("th", ["scope": "row"]) { key }
                                    Markup.element("td", ["class": "words"]) { "\(value)" }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    private func row(_ name: StaticString, _ texts: [String]) -> Markup {
        .element("tr") {
            for text in texts { Markup.element(name) { text } }
        }
    }
}
