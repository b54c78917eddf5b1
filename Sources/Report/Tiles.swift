import ControlAPI

/// The figures at the top of a report.
struct Tiles {
    /// What the figures are taken from.
    let main: MigrationTimelineReport
    /// What the source wrote down; only it knows of rounds and of the blackout.
    let source: MigrationTimelineReport?

    /// The tiles.
    func markup() -> Markup {
        .element("section", ["id": "summary", "class": "tiles"]) {
            if let source { blackout(source) }
            tile(
                "total", "Total time", Amount.time(milliseconds: Plots.end(of: main)),
                Plots.stepsText(main))
            tile("sent", sentName, Amount.bytes(main.progress.bytesSent), sentNote)
            tile("highest-rate", "Rate", rate(\.rateBytesPerSecond), "at its highest")
            if let source {
                tile("round-count", "Rounds", "\(count(source))", "passes over the memory")
                tile("dirty", "Dirty rate", dirtyRate(source), "at its highest")
                tile(
                    "connections", "Connections", "\(source.progress.connections)",
                    source.progress.connections == 0 ? "memory is handed over" : "for memory")
                tile(
                    "highest-throttle", "Throttle", throttle(source),
                    "of the vCPUs' time, at its highest")
            }
        }
    }

    private func blackout(_ source: MigrationTimelineReport) -> Markup {
        let still = source.blackout
        var notes: [String] = []
        if let goal = source.settings["downtime_ms"] { notes.append("goal \(goal) ms") }
        if let predicted = Plots.predictedAtPause(source) {
            notes.append("predicted \(Amount.time(milliseconds: predicted))")
        }
        return tile(
            "blackout-time", "Blackout",
            still.map { Amount.time(milliseconds: $0.milliseconds) } ?? "none",
            notes.joined(separator: ", "))
    }

    private var sentName: String { main.end == .source ? "Memory sent" : "Memory received" }

    private var sentNote: String {
        let total = main.progress.bytesTotal
        guard total > 0 else { return "" }
        let percent = Double(main.progress.bytesSent) / Double(total) * 100
        return "\(Quantity.percent.text(percent)) of \(Amount.bytes(total))"
    }

    private func count(_ source: MigrationTimelineReport) -> UInt64 {
        source.rounds.reduce(0) { $0 &+ $1.count }
    }

    private func rate(_ path: KeyPath<MigrationTimelineReport.Sample, UInt64>) -> String {
        let highest = main.samples.map { $0[keyPath: path] }.max() ?? 0
        return highest > 0 ? "\(Amount.bytes(highest))/s" : "-"
    }

    private func dirtyRate(_ source: MigrationTimelineReport) -> String {
        let highest = source.rounds.compactMap(\.dirtyRateBytesPerSecond).max()
        return highest.map { "\(Amount.bytes($0))/s" } ?? "-"
    }

    private func throttle(_ source: MigrationTimelineReport) -> String {
        let highest = source.samples.map(\.throttlePercent).max() ?? 0
        return highest > 0 ? Quantity.percent.text(Double(highest)) : "none"
    }

    private func tile(_ name: String, _ title: String, _ value: String, _ note: String) -> Markup {
        .element("div", ["class": "tile", "id": name]) {
            Markup.element("h2") { title }
            Markup.element("p", ["class": "value"]) { value }
            Markup.element("p", ["class": "note"]) { note }
        }
    }
}
