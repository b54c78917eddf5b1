import ControlAPI

/// What all migrations of this process came to, for figures that only grow.
struct MigrationTally {
    /// The migrations that ended, by end and outcome.
    private(set) var counts: [MigrationTimelineReport.End: [MigrationResult.Outcome: UInt64]] = [:]
    /// Bytes of memory that were sent and received in them.
    private(set) var bytes: [MigrationTimelineReport.End: UInt64] = [:]

    /// Counts a migration that has ended.
    mutating func add(_ report: MigrationProgressReport, at end: MigrationTimelineReport.End) {
        guard let result = report.result else { return }
        counts[end, default: [:]][result.outcome, default: 0] += 1
        bytes[end, default: 0] &+= report.bytesSent
    }
}
