import ControlAPI
import LinuxSystem

/// Asks a source for the progress of its migration until it has ended, and shows it.
struct MigrationFollower {
    let client: APIClient
    /// Whether nothing but the end is of interest.
    let isQuiet: Bool

    /// How often the source is asked: often enough for a bar that moves, and a millionth of what
    /// the source can answer.
    static let interval = 50

    /// Follows until the end.
    ///
    /// - Throws: when the source cannot be asked any more; where the guest is then is said by the
    ///   other end.
    func follow() throws(APIClientError) -> MigrationResult {
        var display = MigrationDisplay(Self.style)
        while true {
            let report: MigrationProgressReport
            do throws(APIClientError) {
                report = try client.migrationProgress()
            } catch {
                show(display.ending)
                throw error
            }
            if let result = report.result {
                show(display.ending)
                return result
            }
            show(display.update(report))
            MonotonicInstant.after(milliseconds: Self.interval).sleep()
        }
    }

    private func show(_ text: String) {
        guard !isQuiet, !text.isEmpty else { return }
        say(text, terminator: "")
    }

    /// A bar on a terminal, lines elsewhere.
    static var style: MigrationDisplay.Style {
        guard let columns = StandardStream.output.terminalColumns else { return .lines }
        return .bar(columns: columns)
    }
}
