import Machine
import Migration
import MigrationProtocol
import Synchronization
import Testing
import Transport

/// Failures of one end as the other end and its user see them.
@Suite struct FailureTests {
    /// Number 25 in docs/comparison.md: errors stay at their end there.
    @Test(arguments: [
        HardwareError.Operation.configure, .loadState, .takeOver, .start,
    ])
    func failureAtTheDestinationGivesTheGuestBackWithItsReason(
        operation: HardwareError.Operation
    ) throws {
        let ends = try TwoEnds(temporarySocket("failure")) {
            (step: HardwareError.Operation) throws(HardwareError) in
            if step == operation {
                throw HardwareError(step, "The disk disk0 is locked by somebody else.")
            }
        }

        let result = try ends.move(MigrationOptions(destination: ends.listener.url))

        guard case .running(.endedByPeer(let reason)) = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(reason.text == "The disk disk0 is locked by somebody else.")
        guard case .refused(.hardware) = try ends.destinationResult() else {
            Issue.record("the destination did not refuse")
            return
        }
        #expect(ends.ledger.running == ["source"])
        #expect(ends.ledger.everRan == ["source"])
        #expect(ends.ledger.violations == [])
    }

    /// Number 5 in docs/comparison.md: the wait of a destination cannot be ended there.
    @Test func cancelWhileADestinationWaitsEndsIt() throws {
        let ends = try TwoEnds(temporarySocket("waiting"))

        #expect(ends.destinationControl.cancel("nobody comes"))

        #expect(try ends.destinationResult() == .refused(.cancelled("nobody comes")))
        #expect(ends.destinationControl.progress().phase == .cancelled)
    }

    @Test func cancelAtTheDestinationReachesTheSourceWithItsReason() throws {
        let control = Mutex<IncomingControl?>(nil)
        let ends = try TwoEnds(temporarySocket("cancel")) {
            (step: HardwareError.Operation) throws(HardwareError) in
            if step == .configure {
                _ = control.withLock { $0 }?.cancel("the host is full")
            }
        }
        control.withLock { $0 = ends.destinationControl }

        let result = try ends.move(MigrationOptions(destination: ends.listener.url))

        guard case .running(.endedByPeer(let reason)) = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(reason.text == "the host is full")
        #expect(ends.ledger.running == ["source"])
    }

    /// Number 3 in docs/comparison.md: there is no cancel there.
    @Test func cancelAtTheSourceReachesTheDestinationWithItsReason() throws {
        let control = Mutex<OutgoingControl?>(nil)
        let ends = try TwoEnds(temporarySocket("recall")) {
            (step: HardwareError.Operation) throws(HardwareError) in
            if step == .configure {
                _ = control.withLock { $0 }?.cancel("maintenance is over")
            }
        }
        control.withLock { $0 = ends.sourceControl }

        let result = try ends.move(MigrationOptions(destination: ends.listener.url))

        #expect(result == .running(.cancelled("maintenance is over")))
        #expect(
            try ends.destinationResult()
                == .refused(.endedByPeer(EndReason(.cancelled, "maintenance is over"))))
        #expect(ends.destinationControl.progress().phase == .cancelled)
    }

    @Test func bothEndsTellTheirEventsInOrder() throws {
        let ends = try TwoEnds(temporarySocket("events"))

        let result = try ends.move(MigrationOptions(destination: ends.listener.url))

        guard case .moved(let summary) = result else {
            Issue.record("the source says \(result)")
            return
        }
        _ = try ends.destinationResult()
        let source = ends.sourceEvents.withLock { $0 }
        #expect(source.first == .started)
        #expect(source.dropFirst().first == .memoryIteration(0))
        #expect(source.last == .finished(summary))
        #expect(
            ends.destinationEvents.withLock { $0 }
                == [.receiveReady, .receiveStarted, .receiveFinished])
        #expect(ends.sourceControl.progress().phase == .finished)
        #expect(ends.destinationControl.progress().phase == .finished)
    }
}
