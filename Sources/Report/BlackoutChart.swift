import ControlAPI

/// The blackout broken down by what was done, at one end or at both, below each other.
struct BlackoutChart {
    /// What one end did.
    struct Row {
        var name: String
        /// When it began to take part, in milliseconds after the beginning of the blackout.
        var begin: Double
        var parts: [MigrationResult.BlackoutPhase]
    }

    var rows: [Row]

    private static let width = 960.0
    private static let left = 98.0
    private static let rowHeight = 46.0

    /// The rows that both ends know of. The destination's clock is another one: its first part
    /// begins when the source has taken the state and sends it.
    init(source: MigrationTimelineReport?, destination: MigrationTimelineReport?) {
        rows = []
        var sent = 0.0
        if let parts = source?.blackout?.parts, !parts.isEmpty {
            rows.append(Row(name: "source", begin: 0, parts: parts))
            sent = parts.prefix { $0.phase != "wait-ready" }.reduce(0) { $0 + $1.milliseconds }
        }
        if let parts = destination?.blackout?.parts, !parts.isEmpty {
            rows.append(Row(name: "destination", begin: sent, parts: parts))
        }
    }

    /// What is done in a part.
    static let explanations: [String: String] = [
        "stop": "vCPUs stop, devices finish what they are at",
        "final-memory": "the last dirty pages are found and sent",
        "state": "the state of vCPUs and devices is taken",
        "wait-ready": "the state is sent; the destination loads it and says Ready",
        "release": "disks, taps and consoles are let go of",
        "takeover": "the destination takes disks, taps and consoles and starts the vCPUs",
        "return": "everything is taken back, and the guest goes on here",
        "receive-state": "the state arrives",
        "load-state": "vCPUs and devices get their state",
        "wait-takeover": "the source lets go of disks, taps and consoles",
    ]

    /// The chart with a table of its figures.
    func markup() -> Markup {
        .element("div", ["class": "card"]) {
            drawing()
            for row in rows { table(row) }
        }
    }

    private var end: Double {
        let ends = rows.map { row in row.parts.reduce(row.begin) { $0 + $1.milliseconds } }
        return max(ends.max() ?? 0, 0.001)
    }

    private func drawing() -> Markup {
        let height = Self.rowHeight * Double(rows.count) + 28
        return .element(
            "svg",
            [
                "viewBox": "0 0 \(length(Self.width)) \(length(height))", "role": "img",
                "aria-label": "The blackout by what was done",
            ]
        ) {
            for tick in Quantity.milliseconds.ticks(upTo: end, count: 8) where tick <= end {
                Markup.element(
                    "line",
                    [
                        "class": "grid", "x1": length(x(tick)), "x2": length(x(tick)), "y1": "4",
                        "y2": length(height - 24),
                    ])
                Markup.element(
                    "text", ["class": "time", "x": length(x(tick)), "y": length(height - 8)]
                ) { tick == 0 ? "0" : Amount.time(milliseconds: tick) }
            }
            for (index, row) in rows.enumerated() {
                bar(row, top: Self.rowHeight * Double(index) + 8)
            }
        }
    }

    private func x(_ at: Double) -> Double {
        Self.left + (Self.width - Self.left - 30) * min(max(at / end, 0), 1)
    }

    private func bar(_ row: Row, top: Double) -> Markup {
        var begin = row.begin
        let parts = row.parts.enumerated().map { index, part in
            defer { begin += part.milliseconds }
            return segment(part, index, row, from: begin, top: top)
        }
        return .element("g", ["class": "row", "data-end": row.name]) {
            Markup.element(
                "text",
                [
                    "class": "row-name", "x": length(Self.left - 12), "y": length(top + 15),
                    "dy": "0.34em",
                ]
            ) { row.name }
            parts
        }
    }

    private func segment(
        _ part: MigrationResult.BlackoutPhase, _ index: Int, _ row: Row, from begin: Double,
        top: Double
    ) -> Markup {
        let from = x(begin)
        // The gap between neighbours tells them apart without colour.
        let width = max(x(begin + part.milliseconds) - from - 1.5, 1)
        return .element("g") {
            Markup.element(
                "rect",
                [
                    "class": Self.color(part.phase, index), "x": length(from), "y": length(top),
                    "width": length(width), "height": "30", "rx": "2",
                    "data-part": part.phase,
                ]
            ) {
                Markup.element("title") {
                    "\(row.name), \(part.phase): \(Amount.time(milliseconds: part.milliseconds))"
                }
            }
            if width > Double(part.phase.count) * 7 + 10 {
                Markup.element(
                    "text",
                    ["x": length(from + width / 2), "y": length(top + 15), "dy": "0.34em"]
                ) { part.phase }
            }
        }
    }

    private func table(_ row: Row) -> Markup {
        let total = row.parts.reduce(0) { $0 + $1.milliseconds }
        return .element("table", ["class": "parts"]) {
            Markup.element("caption") { "At the \(row.name)" }
            Markup.element("tbody") {
                for (index, part) in row.parts.enumerated() {
                    Markup.element("tr") {
                        Markup.element("th", ["scope": "row"]) {
                            Markup.element(
                                "i", ["class": "swatch \(Self.color(part.phase, index))"])
                            part.phase
                        }
                        Markup.element("td", ["class": "words"]) {
                            Self.explanations[part.phase] ?? ""
                        }
                        Markup.element("td") { Amount.time(milliseconds: part.milliseconds) }
                        Markup.element("td") {
                            total > 0 ? Quantity.percent.text(part.milliseconds / total * 100) : ""
                        }
                    }
                }
                Markup.element("tr", ["class": "total"]) {
                    Markup.element("th", ["scope": "row"]) { "all" }
                    Markup.element("td")
                    Markup.element("td") { Amount.time(milliseconds: total) }
                    Markup.element("td") { "100 %" }
                }
            }
        }
    }

    /// The same part has the same colour in every report; what both ends do at the same time has
    /// related ones.
    private static func color(_ part: String, _ index: Int) -> String {
        switch part {
        case "stop": "c1"
        case "final-memory": "c2"
        case "state", "receive-state": "c3"
        case "wait-ready", "load-state": "c4"
        case "release", "wait-takeover": "c5"
        case "takeover": "c6"
        case "return": "c7"
        default: "c\(index % 7 + 1)"
        }
    }
}
