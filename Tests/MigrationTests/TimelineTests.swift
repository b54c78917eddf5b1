import Machine
import Migration
import Testing
import Transport

/// What both ends write down of real migrations.
@Suite struct TimelineTests {
    @Test(arguments: [1, 3])
    func bothEndsTellTheWholeMigration(connections: Int) throws {
        let ends = try TwoEnds(.tcp(host: "127.0.0.1", port: 0))
        var options = MigrationOptions(destination: ends.listener.url)
        options.connections = connections

        guard case .moved(let summary) = try ends.move(options) else {
            Issue.record("the guest did not move")
            return
        }
        _ = try ends.destinationResult()

        let source = ends.sourceControl.timeline()
        #expect(
            source.steps.map(\.phase) == [
                .connecting, .memory, .blackout, .takeover, .finished,
            ])
        #expect(source.beganAt != nil)
        #expect(source.rounds.count == Int(summary.iterations))
        #expect(source.rounds.map(\.number) == Array(0..<summary.iterations))
        #expect(source.rounds.reduce(0) { $0 + $1.bytes } == summary.memoryBytes)
        // Every page has contents or is told to be zero.
        #expect(source.rounds.allSatisfy { $0.pages * 4096 >= $0.bytes })
        let live = source.rounds.prefix { $0.at < source.blackout?.at ?? 0 }
        #expect(!live.isEmpty && live.allSatisfy { $0.dirtiedBytes != nil })
        #expect(source.rounds.dropFirst(live.count).allSatisfy { $0.dirtiedBytes == nil })
        #expect(source.samples.last?.bytesSent == summary.memoryBytes)
        #expect(source.samples.last?.connections == UInt64(connections))
        #expect(source.samples.map(\.at) == source.samples.map(\.at).sorted())
        let blackout = try #require(source.blackout)
        #expect(
            blackout.parts.map(\.name) == Blackout.Phase.allCases.map(\.nameInReports))
        #expect(blackout.nanoseconds == summary.blackout.total)

        let destination = ends.destinationControl.timeline()
        #expect(
            destination.steps.map(\.phase) == [
                .connecting, .memory, .blackout, .takeover, .finished,
            ])
        #expect(
            destination.blackout?.parts.map(\.name) == [
                "receive-state", "load-state", "wait-takeover", "takeover",
            ])
        #expect(destination.samples.last?.bytesSent == summary.memoryBytes)
        // What the destination takes part in is not all of it. Its last part goes on for a moment
        // after the source was told.
        let arrival = try #require(destination.blackout)
        let known = arrival.parts.dropLast().reduce(0) { $0 + $1.nanoseconds }
        #expect(known < summary.blackout.total)
    }

    @Test func guestThatComesBackEndsItsBlackout() throws {
        let ends = try TwoEnds(
            temporarySocket("back"),
            destinationStep: { operation throws(HardwareError) in
                if operation == .loadState { throw HardwareError(.loadState, "broken") }
            })

        guard case .running = try ends.move(MigrationOptions(destination: ends.listener.url)) else {
            Issue.record("the guest did not stay")
            return
        }

        let timeline = ends.sourceControl.timeline()
        #expect(timeline.steps.last?.phase == .failed)
        let parts = try #require(timeline.blackout).parts
        #expect(parts.map(\.name) == ["stop", "final-memory", "state", "return"])
    }

    @Test func guestThatNeverStoodStillHasNoBlackout() throws {
        let ends = try TwoEnds(
            temporarySocket("early"),
            destinationStep: { operation throws(HardwareError) in
                if operation == .configure { throw HardwareError(.configure, "broken") }
            })

        guard case .running = try ends.move(MigrationOptions(destination: ends.listener.url)) else {
            Issue.record("the guest did not stay")
            return
        }
        let timeline = ends.sourceControl.timeline()
        #expect(timeline.blackout == nil)
        #expect(timeline.rounds.isEmpty)
        #expect(timeline.steps.map(\.phase) == [.connecting, .failed])
    }

    @Test func localMigrationHasNoRoundsAndNoConnections() throws {
        let ends = try TwoEnds(temporarySocket("local"))
        _ = try ends.move(MigrationOptions(destination: ends.listener.url, mode: .local))

        let timeline = ends.sourceControl.timeline()
        #expect(timeline.rounds.isEmpty)
        #expect(timeline.samples.last?.connections == 0)
        #expect(timeline.blackout?.parts.count == 6)
    }

    @Test func migrationThatHasNotBegunHasNoTime() throws {
        let timeline = try IncomingControl().timeline()
        #expect(timeline == MigrationTimeline())
    }
}
