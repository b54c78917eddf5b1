import LinuxSystem
import Machine
import MigrationProtocol
import Synchronization
import Testing
import Transport

@testable import Migration

/// What both ends of a migration write down, and what happens when they cannot. The disk of the
/// simulation, which fails at every step, is in `SimulationTests`.
@Suite struct JournaledMigrationTests {
    /// A journal in memory whose disk is full for some records.
    final class TestJournal: DecisionJournal {
        private let refused: Set<JournalDecision>
        private let records = Mutex<[JournalRecord]>([])

        init(refusing refused: Set<JournalDecision> = []) {
            self.refused = refused
        }

        var decisions: [JournalDecision] { records.withLock { $0.map(\.decision) } }
        var migrations: Set<String> { records.withLock { Set($0.map(\.migration)) } }

        func append(_ record: JournalRecord) throws(JournalError) {
            if refused.contains(record.decision) {
                throw .system(
                    path: "/journal", SystemError("write to", "/journal", .noSpace))
            }
            records.withLock { $0.append(record) }
        }
    }

    private func ends(
        _ source: TestJournal, _ destination: TestJournal,
        destinationStep:
            @escaping @Sendable (HardwareError.Operation) throws(HardwareError) ->
            Void = { (_: HardwareError.Operation) throws(HardwareError) in }
    ) throws -> TwoEnds {
        try TwoEnds(
            temporarySocket("journal"), sourceJournal: source, destinationJournal: destination,
            destinationStep: destinationStep)
    }

    @Test(arguments: [true, false])
    func aMigrationIsWrittenDownAtBothEndsUnderOneName(isPaused: Bool) throws {
        let (source, destination) = (TestJournal(), TestJournal())
        let ends = try ends(source, destination)
        let options = MigrationOptions(destination: ends.listener.url)

        let result = isPaused ? ends.movePaused(options) : try ends.move(options)

        guard case .moved = result else {
            Issue.record("\(result)")
            return
        }
        #expect(try ends.destinationResult() == (isPaused ? .paused : .running))
        #expect(source.decisions == [.offered, .givingAway, .gaveAway])
        #expect(destination.decisions == [.receiving, .takingOver, .tookOver])
        #expect(source.migrations == destination.migrations)
        #expect(source.migrations.count == 1)
    }

    @Test func aFullDiskOfTheSourceIsToldBeforeAnybodyIsAsked() throws {
        let (source, destination) = (TestJournal(refusing: [.offered]), TestJournal())
        let ends = try ends(source, destination)

        let result = try ends.move(MigrationOptions(destination: ends.listener.url))

        guard case .running(.journal(let error)) = result else {
            Issue.record("\(result)")
            return
        }
        #expect(error.description.contains("/journal"))
        #expect(ends.ledger.running == ["source"])
        #expect(source.decisions == [])
        #expect(destination.decisions == [])
        #expect(!ends.destinationEvents.withLock { $0.contains(MigrationEvent.receiveStarted) })
        _ = ends.destinationControl.cancel("the test is over")
    }

    @Test func aFullDiskOfTheDestinationIsToldToTheSourceBeforeThePause() throws {
        let (source, destination) = (TestJournal(), TestJournal(refusing: [.receiving]))
        let ends = try ends(source, destination)

        let result = try ends.move(MigrationOptions(destination: ends.listener.url))

        guard case .running(.endedByPeer(let reason)) = result else {
            Issue.record("\(result)")
            return
        }
        #expect(reason.text.contains("/journal"))
        #expect(source.decisions == [.offered, .tookBack])
        #expect(destination.decisions == [])
        #expect(!ends.sourceEvents.withLock { $0.contains(MigrationEvent.memoryIteration(1)) })
        guard case .refused(.journal) = try ends.destinationResult() else {
            Issue.record("the destination took it")
            return
        }
    }

    /// Neither may act on what it could not write down, and the guest goes on.
    @Test(arguments: [JournalDecision.givingAway, .takingOver])
    func withoutItsRecordNobodyChangesTheOwner(decision: JournalDecision) throws {
        let source = TestJournal(refusing: [decision])
        let destination = TestJournal(refusing: [decision])
        let ends = try ends(source, destination)

        let result = try ends.move(MigrationOptions(destination: ends.listener.url))

        guard case .running = result else {
            Issue.record("\(result)")
            return
        }
        #expect(ends.ledger.everRan == ["source"])
        #expect(ends.ledger.running == ["source"])
        #expect(source.decisions.last == .tookBack)
        guard case .refused = try ends.destinationResult() else {
            Issue.record("the destination took it")
            return
        }
        #expect(destination.decisions.last == .refused)
    }

    /// After the point of no return the guest does not wait for a disk.
    @Test func whatCannotBeWrittenDownAfterwardsStopsNobody() throws {
        let source = TestJournal(refusing: [.gaveAway])
        let destination = TestJournal(refusing: [.tookOver])
        let ends = try ends(source, destination)

        let result = try ends.move(MigrationOptions(destination: ends.listener.url))

        guard case .moved = result else {
            Issue.record("\(result)")
            return
        }
        #expect(try ends.destinationResult() == .running)
        #expect(source.decisions == [.offered, .givingAway])
        #expect(destination.decisions == [.receiving, .takingOver])
    }

    @Test func aReturnedGuestIsWrittenDownAtBothEnds() throws {
        let (source, destination) = (TestJournal(), TestJournal())
        let ends = try ends(source, destination) {
            (operation: HardwareError.Operation) throws(HardwareError) in
            if operation == .takeOver { throw HardwareError(.takeOver, "the tap is busy") }
        }

        let result = try ends.move(MigrationOptions(destination: ends.listener.url))

        guard case .running = result else {
            Issue.record("\(result)")
            return
        }
        #expect(source.decisions == [.offered, .givingAway, .tookBack])
        guard case .refused = try ends.destinationResult() else {
            Issue.record("the destination took it")
            return
        }
        #expect(destination.decisions == [.receiving, .takingOver, .refused])
    }
}
