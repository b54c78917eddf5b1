import ControlAPI
import Testing

@testable import Migration
@testable import VMM

@Suite struct TimelineReportsTests {
    private func timeline() -> MigrationTimeline {
        var timeline = MigrationTimeline()
        timeline.beganAt = 1_700_000_000_123_456_789
        timeline.steps = [MigrationTimeline.Step(phase: .inDoubt, at: 1_234_567)]
        timeline.rounds = [
            MigrationTimeline.Round(
                number: 3, count: 2, at: 2_000_000, nanoseconds: 500_000_000, pages: 10,
                bytes: 1000, dirtiedBytes: 50)
        ]
        timeline.samples = [
            sample(at: 0, sent: 0), sample(at: 250_000_000, sent: 1000),
            sample(at: 250_000_000, sent: 2000), sample(at: 500_000_000, sent: 2000),
        ]
        timeline.notes = [MigrationTimeline.Note(at: 5_000_000, text: "so")]
        timeline.missingNotes = 7
        timeline.blackout = MigrationTimeline.Blackout(
            at: 9_000_000,
            parts: [
                MigrationTimeline.Blackout.Part(name: "stop", nanoseconds: 1_500),
                MigrationTimeline.Blackout.Part(name: "state", nanoseconds: 2_500),
            ])
        return timeline
    }

    private func sample(at: UInt64, sent: UInt64) -> MigrationTimeline.Sample {
        MigrationTimeline.Sample(
            at: at, bytesSent: sent, bytesSaved: 9, bytesZero: 10, bytesRemaining: 4,
            dirtyBytesPerSecond: 5,
            predictedBlackoutMilliseconds: 6, throttlePercent: 7, connections: 8)
    }

    @Test func reportKeepsWhatTheEngineWroteDown() throws {
        let report = MigrationTimelineReport(
            timeline(), .source, settings: ["a": .flag(true)], progress: .none)

        #expect(report.beganAt == "2023-11-14T22:13:20.123Z")
        #expect(report.settings == ["a": .flag(true)])
        #expect(report.phases.first?.phase == "in-doubt")
        #expect(report.phases.first?.atMilliseconds == 1.234)
        let round = try #require(report.rounds.first)
        #expect((round.number, round.count, round.pages, round.bytes) == (3, 2, 10, 1000))
        #expect((round.atMilliseconds, round.milliseconds) == (2, 500))
        #expect((round.rateBytesPerSecond, round.dirtyRateBytesPerSecond) == (2000, 100))
        #expect(report.samples.map(\.rateBytesPerSecond) == [0, 4000, 0, 0])
        let sample = try #require(report.samples.last)
        #expect((sample.bytesSent, sample.bytesRemaining) == (2000, 4))
        #expect((sample.bytesSaved, sample.bytesZero) == (9, 10))
        #expect((sample.dirtyRateBytesPerSecond, sample.throttlePercent) == (5, 7))
        #expect(sample.predictedBlackoutMilliseconds == 6 && sample.connections == 8)
        #expect(report.notes.first?.text == "so" && report.missingNotes == 7)
        #expect(report.blackout?.milliseconds == 0.004)
        #expect(report.blackout?.parts.map(\.phase) == ["stop", "state"])
    }

    @Test func reportComesBackFromJSONAsItWas() throws {
        var report = MigrationTimelineReport(
            timeline(), .destination,
            settings: ["n": .number(.max), "t": .text("1"), "r": .real(1.5)],
            progress: .none)
        report.progress.result = MigrationResult(outcome: .failed)
        let bytes = JSONBody.encode(report, isPretty: true)
        #expect(try JSONBody.decode(MigrationTimelineReport.self, from: bytes) == report)
    }

    @Test func settingsAreTheFieldsOfTheCall() {
        var data = SendMigrationData(destinationURL: "unix:/s")
        data.connections = 3
        let settings = SettingValue.settings(of: data)
        #expect(settings["connections"] == .number(3))
        #expect(settings["destination_url"] == .text("unix:/s"))
        #expect(settings["timeout_strategy"] == .text("Cancel"))
        #expect(settings["local"]?.description == "off")
        #expect(settings["timeline"] == nil)
    }
}
