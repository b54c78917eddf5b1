import ControlAPI
import Migration

/// The figures of migrations.
extension Metric {
    /// Those of the running migration, or of the last one.
    static func migration(_ timeline: MigrationTimelineReport) -> [Metric] {
        guard timeline.end != .none else { return [] }
        let progress = timeline.progress
        var phase = Metric(
            .gauge, "martlet_migration_phase",
            "Step of the running migration or of the last one: 1 for the one that it is at.")
        phase.add(
            progress.phase, of: MigrationProgress.Phase.allCases.map(\.rawValue), as: "phase",
            ["end": timeline.end.rawValue])
        return [
            phase,
            Metric(
                .gauge, "martlet_migration_memory_bytes", "Size of the guest's memory.",
                progress.bytesTotal),
            Metric(
                .gauge, "martlet_migration_transferred_bytes",
                "Memory that the migration has sent or received, with pages sent again.",
                progress.bytesSent),
            Metric(
                .gauge, "martlet_migration_saved_bytes",
                "Memory that was sent and did not go over the wire because it was compressed.",
                progress.bytesSaved),
            Metric(
                .gauge, "martlet_migration_zero_bytes",
                "Memory that was told as zeros instead of being sent.", progress.bytesZero),
            Metric(
                .gauge, "martlet_migration_remaining_bytes",
                "Memory that the present round has still to send.", progress.bytesRemaining),
            Metric(
                .gauge, "martlet_migration_bytes_per_second",
                "Measured rate of sending; 0 before it is known.", progress.rateBytesPerSecond),
            Metric(
                .gauge, "martlet_migration_dirty_bytes_per_second",
                "Memory that the guest wrote to in the last round, for each second.",
                progress.dirtyRateBytesPerSecond),
            Metric(
                .gauge, "martlet_migration_rounds",
                "Passes over the memory that the source has begun.",
                timeline.rounds.reduce(0) { $0 &+ $1.count }),
            Metric(
                .gauge, "martlet_migration_connections", "Connections that carry memory.",
                progress.connections),
            Metric(
                .gauge, "martlet_migration_throttle_ratio",
                "Share of time for which vCPUs are held back.",
                Double(progress.throttlePercent) / 100),
            Metric(
                .gauge, "martlet_migration_predicted_blackout_seconds",
                "Blackout if the guest were paused now; absent before it is known.",
                progress.predictedBlackoutMilliseconds.map { $0 / 1000 }),
            Metric(
                .gauge, "martlet_migration_duration_seconds",
                "Time since the migration began, or that it took.",
                (progress.result?.totalMilliseconds ?? progress.elapsedMilliseconds) / 1000),
            blackout(timeline),
        ]
    }

    private static func blackout(_ timeline: MigrationTimelineReport) -> Metric {
        var metric = Metric(
            .gauge, "martlet_migration_blackout_seconds",
            "Blackout of the guest by what was done, as far as this end took part in it.")
        for part in timeline.blackout?.parts ?? [] {
            metric.add(
                part.milliseconds / 1000, ["end": timeline.end.rawValue, "part": part.phase])
        }
        return metric
    }

    /// Those of all migrations since the process started.
    ///
    /// - Parameter running: the running migration, whose bytes count too.
    static func migrations(
        _ tally: MigrationTally, running: MigrationTimelineReport?
    ) -> [Metric] {
        var ended = Metric(
            .counter, "martlet_migrations_total", "Migrations that ended, by end and outcome.")
        var bytes = Metric(
            .counter, "martlet_migration_memory_bytes_total",
            "Memory that all migrations have sent (source) and received (destination).")
        for end in [MigrationTimelineReport.End.source, .destination] {
            for outcome in [MigrationResult.Outcome.completed, .failed, .cancelled] {
                ended.add(
                    Double(tally.counts[end]?[outcome] ?? 0),
                    ["end": end.rawValue, "outcome": outcome.rawValue])
            }
            let present = running.map { $0.end == end ? $0.progress.bytesSent : 0 } ?? 0
            bytes.add(Double((tally.bytes[end] ?? 0) &+ present), ["end": end.rawValue])
        }
        return [ended, bytes]
    }
}
