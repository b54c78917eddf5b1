import ControlAPI
import Report

/// Shows a running migration: a bar that is drawn again in place on a terminal, a line now and
/// then elsewhere, and a summary at the end.
struct MigrationDisplay {
    /// Where the text goes.
    enum Style {
        /// A terminal: the last line is overwritten.
        case bar(columns: Int)
        /// A file or a pipe: one line each time the phase or the iteration changes.
        case lines
    }

    let style: Style
    private var lastLine = ""

    init(_ style: Style) {
        self.style = style
    }

    /// The text that shows `report`; empty when nothing new is to be shown.
    mutating func update(_ report: MigrationProgressReport) -> String {
        switch style {
        case .bar(let columns):
            // Return to the start of the line, and clear what a longer one left.
            return "\r" + Self.bar(report, columns: columns) + "\u{1b}[K"
        case .lines:
            let hold = report.isHolding ? ", held" : ""
            let line = "\(report.phase)\(hold), iteration \(report.iteration)"
            guard line != lastLine else { return "" }
            lastLine = line
            return "\(line): \(Self.figures(report))\n"
        }
    }

    /// What to write between the last update and the summary.
    var ending: String {
        switch style {
        case .bar: "\r\u{1b}[K"
        case .lines: ""
        }
    }

    private static func bar(_ report: MigrationProgressReport, columns: Int) -> String {
        let total = max(report.bytesTotal, 1)
        let done = 1 - min(Double(report.bytesRemaining) / Double(total), 1)
        let tail = " \(report.phase) \(Int(done * 100))% \(figures(report))"
        let width = max(min(columns - tail.count - 3, 30), 5)
        let filled = Int(done * Double(width))
        let bar =
            String(repeating: "#", count: filled)
            + String(repeating: "-", count: width - filled)
        return String("[\(bar)]\(tail)".prefix(max(columns - 1, 1)))
    }

    private static func figures(_ report: MigrationProgressReport) -> String {
        var parts = ["\(Amount.bytes(report.bytesSent)) sent"]
        if report.bytesRemaining > 0 {
            parts.append("\(Amount.bytes(report.bytesRemaining)) left")
        }
        if report.rateBytesPerSecond > 0 {
            parts.append("\(Amount.bytes(report.rateBytesPerSecond))/s")
        }
        if let blackout = report.predictedBlackoutMilliseconds {
            // The prediction is in whole milliseconds.
            parts.append("blackout about \(Amount.time(milliseconds: max(blackout, 1)))")
        }
        if report.isHolding { parts.append("held until continue-migration") }
        if report.throttlePercent > 0 { parts.append("slowed by \(report.throttlePercent)%") }
        if report.isStalled { parts.append("does not shrink") }
        return parts.joined(separator: ", ")
    }
}

extension MigrationResult {
    /// The summary after a migration, one fact on a line.
    var summary: String {
        var lines: [String] = []
        switch outcome {
        case .completed: lines.append("Migrated.")
        case .cancelled: lines.append("Cancelled: the guest is where it was.")
        case .failed: lines.append("Failed: the guest is where it was.")
        case .inDoubt:
            lines.append(
                "In doubt: the guest was given away and the answer is missing. It stays stopped "
                    + "here until the destination has said which end has it.")
        }
        lines += errors.map { "  \($0)" }
        lines.append("  total time  \(Amount.time(milliseconds: totalMilliseconds))")
        lines.append("  sent        \(Amount.bytes(bytesSent))")
        lines.append("  iterations  \(iterations)")
        if outcome == .completed {
            lines.append("  blackout    \(Amount.time(milliseconds: blackoutMilliseconds))")
            for part in blackoutPhases {
                lines.append("    \(part.phase): \(Amount.time(milliseconds: part.milliseconds))")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
