import ControlAPI
import Migration
import Testing

@testable import VMM

@Suite struct MigrationReportsTests {
    @Test func progressKeepsItsNumbers() {
        var progress = MigrationProgress(phase: .memory)
        progress.iteration = 1
        progress.bytesTotal = 2
        progress.bytesSent = 3
        progress.bytesRemaining = 4
        progress.bytesPerSecond = 5
        progress.dirtyBytesPerSecond = 6
        progress.predictedBlackoutNanoseconds = 7_000_000
        progress.elapsedMilliseconds = 8
        progress.bytesSaved = 9
        progress.bytesZero = 10

        let report = MigrationProgressReport(progress)

        #expect(report.phase == "memory")
        #expect(report.iteration == 1)
        #expect(report.bytesTotal == 2)
        #expect(report.bytesSent == 3)
        #expect(report.bytesRemaining == 4)
        #expect(report.rateBytesPerSecond == 5)
        #expect(report.dirtyRateBytesPerSecond == 6)
        #expect(report.predictedBlackoutMilliseconds == 7)
        #expect(report.elapsedMilliseconds == 8)
        #expect((report.bytesSaved, report.bytesZero) == (9, 10))
        #expect(report.result == nil)
    }

    @Test func migrationInDoubtHasThatForAResult() {
        let report = MigrationProgressReport(MigrationProgress(phase: .inDoubt))
        #expect(report.phase == "in-doubt")
        #expect(report.result?.outcome == .inDoubt)
    }

    @Test func cancelledMigrationIsNoFailure() {
        var report = MigrationProgressReport(phase: "cancelled")
        #expect(MigrationResult(.cancelled("so"), report).outcome == .cancelled)
        report.phase = "failed"
        let failed = MigrationResult(.timeout(seconds: 3), report)
        #expect(failed.outcome == .failed)
        #expect(failed.errors.count == 1)
    }

    @Test func phasesOfTheBlackoutAreNamedForPrograms() {
        let names = Blackout.Phase.allCases.map(\.nameInReports)
        #expect(
            names == ["stop", "final-memory", "state", "wait-ready", "release", "takeover"])
    }

    @Test func optionsAreThoseOfTheCall() throws {
        var data = SendMigrationData(destinationURL: "unix:/tmp/door")
        data.local = true
        data.downtimeMilliseconds = 5
        data.timeoutSeconds = 6
        data.timeoutStrategy = .ignore

        let options = try MigrationOptions(data)

        #expect(options.mode == .local)
        #expect(options.downtimeMilliseconds == 5)
        #expect(options.timeoutSeconds == 6)
        #expect(options.timeoutStrategy == .ignore)
    }
}
