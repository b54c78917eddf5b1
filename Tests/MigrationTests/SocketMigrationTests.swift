import GuestMemory
import LinuxSystem
import Machine
import Migration
import Testing
import Transport

/// Whole migrations over real sockets.
@Suite struct SocketMigrationTests {
    @Test func runningGuestMovesOverTCP() throws {
        let ends = try TwoEnds(.tcp(host: "127.0.0.1", port: 0))

        let result = try ends.move(MigrationOptions(destination: ends.listener.url))

        guard case .moved(let summary) = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(try ends.destinationResult() == .running)
        #expect(try ends.differingPages() == [])
        #expect(ends.ledger.running == ["destination"])
        #expect(ends.ledger.violations == [])
        #expect(summary.memoryBytes > 0)
        #expect(summary.blackout.total > 0)
        // Before memory is sent and just before the blackout.
        #expect(ends.source.preparations == 2)
    }

    @Test func runningGuestMovesOverUNIXSocket() throws {
        let ends = try TwoEnds(temporarySocket("precopy"))

        let result = try ends.move(MigrationOptions(destination: ends.listener.url))

        guard case .moved = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(try ends.destinationResult() == .running)
        #expect(try ends.differingPages() == [])
    }

    @Test func localMigrationCopiesNothing() throws {
        let ends = try TwoEnds(temporarySocket("local"))

        let result = try ends.move(
            MigrationOptions(destination: ends.listener.url, mode: .local))

        guard case .moved(let summary) = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(try ends.destinationResult() == .running)
        #expect(summary.memoryBytes == 0)
        #expect(try ends.differingPages() == [])
        #expect(ends.ledger.violations == [])
        #expect(ends.source.preparations == 1)
    }

    @Test func pausedGuestArrivesPaused() throws {
        let ends = try TwoEnds(temporarySocket("paused"))

        let result = ends.movePaused(MigrationOptions(destination: ends.listener.url))

        guard case .moved(let summary) = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(try ends.destinationResult() == .paused)
        #expect(summary.blackout.total == 0)
        #expect(try ends.differingPages() == [])
        #expect(ends.ledger.everRan == [])
    }
}
