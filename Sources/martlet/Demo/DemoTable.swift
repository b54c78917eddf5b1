import Report

/// One move of the demo, as its table shows it.
struct DemoRow {
    var mode: String
    var totalMilliseconds: Double
    var blackoutMilliseconds: Double
    /// The longest gap that the guest saw in its own clock, in microseconds.
    var guestGap: UInt64?
    /// The longest time between two answers that the TCP client saw, in nanoseconds.
    var clientGap: UInt64?
    /// Pages that the guest verified during and after the move, and how many were wrong.
    var verified: UInt64
    var errors: UInt64
    var connectionsLost: Int?
}

/// The table at the end of a demo.
enum DemoTable {
    private static let titles = [
        "mode", "total", "blackout (VMM)", "longest gap (guest)", "longest gap (TCP client)",
        "stamps verified", "stamps wrong", "connections lost",
    ]

    /// The rows below their titles, in columns.
    static func text(_ rows: [DemoRow]) -> String {
        let cells = [titles] + rows.map(cells)
        let widths = titles.indices.map { column in cells.map { $0[column].count }.max() ?? 0 }
        return cells.map { row in
            let padded = zip(row, widths).map { cell, width in
                cell + String(repeating: " ", count: width - cell.count)
            }
            return padded.dropLast().joined(separator: "  ") + "  " + (row.last ?? "")
        }.joined(separator: "\n") + "\n"
    }

    private static func cells(_ row: DemoRow) -> [String] {
        [
            row.mode,
            Amount.time(milliseconds: row.totalMilliseconds),
            Amount.time(milliseconds: row.blackoutMilliseconds),
            row.guestGap.map { Amount.time(milliseconds: Double($0) / 1000) } ?? "-",
            row.clientGap.map { Amount.time(milliseconds: Double($0) / 1_000_000) } ?? "-",
            "\(row.verified)",
            "\(row.errors)",
            row.connectionsLost.map { "\($0)" } ?? "-",
        ]
    }
}
