import ControlAPI

/// Timelines to make reports of.
enum Timelines {
    /// A source whose guest left after a few rounds, held back in the middle.
    static func source() -> MigrationTimelineReport {
        var progress = MigrationProgressReport(phase: "finished")
        progress.bytesTotal = 1 << 30
        progress.bytesSent = 1_900_000_000
        progress.connections = 4
        progress.elapsedMilliseconds = 2030
        var result = MigrationResult(outcome: .completed)
        result.totalMilliseconds = 2030
        result.blackoutMilliseconds = 6.5
        progress.result = result
        var report = MigrationTimelineReport(end: .source, progress: progress)
        report.program = "martlet 0.1.0"
        report.beganAt = "2026-01-02T03:04:05.678Z"
        report.settings = [
            "destination_url": .text("tcp:192.0.2.1:4444"), "downtime_ms": .number(50),
            "connections": .number(4), "local": .flag(false),
        ]
        report.phases = [
            .init(phase: "connecting", atMilliseconds: 0),
            .init(phase: "memory", atMilliseconds: 40),
            .init(phase: "blackout", atMilliseconds: 2023),
            .init(phase: "takeover", atMilliseconds: 2028),
            .init(phase: "finished", atMilliseconds: 2030),
        ]
        report.rounds = (0..<6).map { round(UInt64($0)) }
        report.samples = (0...200).map { sample(Double($0) * 10) }
        report.notes = [.init(atMilliseconds: 900, text: "vCPUs are held back by 40 %")]
        report.blackout = .init(
            atMilliseconds: 2023, milliseconds: 6.5,
            parts: [
                .init(phase: "stop", milliseconds: 0.3),
                .init(phase: "final-memory", milliseconds: 1.9),
                .init(phase: "state", milliseconds: 0.4),
                .init(phase: "wait-ready", milliseconds: 2.4),
                .init(phase: "release", milliseconds: 0.1),
                .init(phase: "takeover", milliseconds: 1.4),
            ])
        return report
    }

    private static func round(_ number: UInt64) -> MigrationTimelineReport.Round {
        var round = MigrationTimelineReport.Round(number: number, count: 1)
        round.atMilliseconds = 40 + Double(number) * 330
        round.milliseconds = 330
        round.pages = 100_000 >> number
        round.bytes = round.pages * 4096
        round.rateBytesPerSecond = 1_000_000_000
        round.dirtiedBytes = round.bytes / 2
        round.dirtyRateBytesPerSecond = 400_000_000 >> number
        return round
    }

    private static func sample(_ at: Double) -> MigrationTimelineReport.Sample {
        var sample = MigrationTimelineReport.Sample(atMilliseconds: at)
        sample.bytesSent = UInt64(at * 950_000)
        sample.bytesRemaining = UInt64(max(0, 1_000_000_000 - at * 480_000))
        sample.rateBytesPerSecond = at < 40 ? 0 : 900_000_000 + UInt64(at * 10_000) % 200_000_000
        sample.dirtyRateBytesPerSecond = 300_000_000
        sample.predictedBlackoutMilliseconds = at < 370 ? nil : max(9, 900 - at / 2.2)
        sample.throttlePercent = (900..<1500).contains(Int(at)) ? 40 : 0
        sample.connections = 4
        return sample
    }

    /// The destination of the same migration.
    static func destination() -> MigrationTimelineReport {
        var progress = MigrationProgressReport(phase: "finished")
        progress.bytesSent = 1_900_000_000
        progress.result = MigrationResult(outcome: .completed)
        var report = MigrationTimelineReport(end: .destination, progress: progress)
        report.program = "martlet 0.1.0"
        report.settings = ["receiver_url": .text("tcp:0.0.0.0:4444")]
        report.phases = [
            .init(phase: "connecting", atMilliseconds: 0),
            .init(phase: "memory", atMilliseconds: 20),
            .init(phase: "blackout", atMilliseconds: 2001),
            .init(phase: "finished", atMilliseconds: 2008),
        ]
        report.samples = (0...200).map { sample(Double($0) * 10) }
        report.blackout = .init(
            atMilliseconds: 2001, milliseconds: 3.6,
            parts: [
                .init(phase: "receive-state", milliseconds: 0.1),
                .init(phase: "load-state", milliseconds: 2.0),
                .init(phase: "wait-takeover", milliseconds: 0.3),
                .init(phase: "takeover", milliseconds: 1.2),
            ])
        return report
    }

    /// A source whose migration failed, told in words that are markup.
    static func failure() -> MigrationTimelineReport {
        var report = source()
        let markup = "<script>alert('1')</script>&\"<img src=x onerror=alert(2)>"
        var result = MigrationResult(outcome: .failed)
        result.errors = [markup]
        report.progress.phase = "failed"
        report.progress.result = result
        report.settings["destination_url"] = .text(markup)
        report.settings[markup] = .text(markup)
        report.notes = [.init(atMilliseconds: 1, text: markup)]
        report.program = markup
        report.beganAt = markup
        report.phases.append(.init(phase: markup, atMilliseconds: 2040))
        report.blackout?.parts.append(.init(phase: markup, milliseconds: 3))
        return report
    }

    /// A source in which nothing has happened.
    static func empty(_ end: MigrationTimelineReport.End = .source) -> MigrationTimelineReport {
        MigrationTimelineReport(end: end, progress: MigrationProgressReport(phase: "connecting"))
    }

    /// A source that a wrong program, or somebody with intent, has written.
    static func absurd() -> MigrationTimelineReport {
        var report = source()
        report.progress.bytesSent = .max
        report.progress.bytesTotal = 1
        report.progress.elapsedMilliseconds = 1e300
        report.settings["downtime_ms"] = .number(.max)
        report.blackout?.atMilliseconds = -1e300
        report.blackout?.parts = [
            .init(phase: "", milliseconds: -5), .init(phase: "x", milliseconds: 1e308),
            .init(phase: "y", milliseconds: 1e308),
        ]
        report.rounds = [MigrationTimelineReport.Round(number: .max, count: .max)]
        report.rounds[0].bytes = .max
        report.rounds[0].rateBytesPerSecond = .max
        report.rounds[0].dirtyRateBytesPerSecond = .max
        report.rounds[0].milliseconds = 1e308
        report.rounds += report.rounds
        report.samples = [-1e308, 1e308, 0, -0.0, 1e-307].map { at in
            var sample = MigrationTimelineReport.Sample(atMilliseconds: at)
            sample.bytesRemaining = .max
            sample.rateBytesPerSecond = .max
            sample.predictedBlackoutMilliseconds = at
            sample.throttlePercent = .max
            return sample
        }
        return report
    }
}
