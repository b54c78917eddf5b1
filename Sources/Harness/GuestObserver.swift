public import LinuxSystem

/// Follows what a guest reports, over all VMMs that write its serial port to the same file.
public struct GuestObserver: ~Copyable, Sendable {
    private var log: SerialLog
    /// The newest report.
    public private(set) var report: GuestLine?
    /// All lines that say what went wrong in the guest.
    public private(set) var errors: [GuestLine] = []
    /// The kinds of lines seen so far.
    public private(set) var kinds: Set<GuestLine.Kind> = []

    /// Follows the file of a serial port, which exists.
    public init(serialPath: String) throws(SystemError) {
        log = try SerialLog(path: serialPath)
    }

    /// Reads on until a report fulfils a condition.
    ///
    /// - Returns: the report, or nil when the deadline came first.
    public mutating func waitForReport(
        deadline: MonotonicInstant, where condition: (GuestLine) -> Bool
    ) throws(SystemError) -> GuestLine? {
        while true {
            for line in try log.newLines() {
                kinds.insert(line.kind)
                switch line.kind {
                case .report:
                    report = line
                    if condition(line) { return line }
                case .error: errors.append(line)
                case .boot, .filled, .verified, .done: break
                }
            }
            if deadline.hasPassed { return nil }
            MonotonicInstant.after(milliseconds: 5).sleep()
        }
    }
}
