import GuestMemory
public import Logging
public import Machine
import MigrationProtocol
public import Transport

/// A guest that is to be moved: it runs, or its owner has paused it.
public enum MovableGuest<Hardware: GuestHardware>: ~Copyable, Sendable {
    /// It runs, and shall run at the destination.
    case running(VirtualMachine<Hardware>)
    /// It stands still, and shall stand still at the destination.
    case paused(PausedMachine<Hardware>)
}

/// Where the guest is after a migration, as its source knows it.
public enum OutgoingOutcome<Hardware: GuestHardware>: ~Copyable, Sendable {
    /// At the destination, for ever.
    case moved(MigrationSummary)
    /// Here, as it was before.
    case stayed(MovableGuest<Hardware>, MigrationError)
    /// Here, but without a backend that could not be taken back.
    case stranded(SurrenderedMachine<Hardware>, MigrationError)
    /// It ran at a destination which is dead, or a person said so.
    case gone(MigrationError)
}

/// The source's part of one migration: a script of phases which takes a guest and says where it is
/// at the end.
///
/// ```
/// negotiate, configure, pre-copy | pause, final memory, state -> Ready, release
///      failure: the guest goes on here        == point of no return ==
///                                             Takeover -> Running: moved
///                                                      -> Returned: the guest goes on here
///                                                      -> no answer: in doubt, inquire
/// ```
///
/// Contract: whatever happens, the guest that was given comes back in the outcome or has left for
/// the destination. It goes on here only if nothing that the destination could have received lets
/// it run there. `run` blocks, on a thread of the caller's; `control` may be used from any other.
public struct OutgoingMigration<Hardware: GuestHardware, Outside: Network>: Sendable {
    private let options: MigrationOptions
    private let network: Outside
    private let control: OutgoingControl
    private let observer: MigrationObserver
    private let journal: (any DecisionJournal)?
    private let logger: Logger

    /// A migration that has not begun.
    public init(
        options: MigrationOptions, network: Outside, control: OutgoingControl,
        observer: @escaping MigrationObserver = { _ in },
        journal: (any DecisionJournal)? = nil,
        logger: Logger = Logger(label: "migration.source")
    ) {
        self.options = options
        self.network = network
        self.control = control
        self.observer = observer
        self.journal = journal
        self.logger = logger
    }

    /// Moves the guest.
    public func run(_ guest: consuming MovableGuest<Hardware>) -> OutgoingOutcome<Hardware> {
        observer(.started)
        switch consume guest {
        case .running(let machine):
            let session = session(of: machine.hardware)
            return move(machine, session)
        case .paused(let machine):
            let session = session(of: machine.hardware)
            return move(machine, session)
        }
    }

    private func session(of hardware: Hardware) -> SourceSession<Outside> {
        SourceSession(
            options: options, network: network, control: control, observer: observer,
            journal: journal, logger: logger, pendingEvent: { hardware.pendingEvent })
    }

    /// Moves a running guest.
    private func move(
        _ machine: consuming VirtualMachine<Hardware>, _ session: SourceSession<Outside>
    ) -> OutgoingOutcome<Hardware> {
        var dirty = PageSet(layouts: machine.hardware.memory.layouts)
        do throws(MigrationError) {
            try session.recordOffer()
            try session.negotiate()
            try session.configure(machine.hardware)
            // Most is flushed while there is time, and the little written since just before the
            // blackout, of which `release` flushes the rest.
            machine.hardware.prepareToLeave()
            if options.mode == .preCopy {
                try session.preCopy(machine.hardware, leaving: &dirty)
                machine.hardware.prepareToLeave()
            } else {
                try session.holdWithoutRounds()
            }
        } catch {
            machine.hardware.stopDirtyTracking()
            session.noteReturn(error)
            return .stayed(.running(machine), session.end(because: error))
        }
        session.beginBlackout()
        switch machine.pause() {
        case .failed(let machine, let error):
            machine.hardware.stopDirtyTracking()
            session.noteReturn(.hardware(error))
            return .stayed(.running(machine), session.end(because: .hardware(error)))
        case .paused(let machine):
            session.clock.end(.stop, at: network.now)
            let result = handOver(machine, staysPaused: false, session, &dirty)
            return finish(result, runsOn: true, session)
        }
    }

    /// Moves a guest that its owner has paused.
    private func move(
        _ machine: consuming PausedMachine<Hardware>, _ session: SourceSession<Outside>
    ) -> OutgoingOutcome<Hardware> {
        var dirty = PageSet(layouts: machine.hardware.memory.layouts)
        do throws(MigrationError) {
            try session.recordOffer()
            try session.negotiate()
            try session.configure(machine.hardware)
            if options.mode == .preCopy { try session.sendAllMemory(machine.hardware) }
            try session.holdWithoutRounds()
        } catch {
            session.noteReturn(error)
            return .stayed(.paused(machine), session.end(because: error))
        }
        let result = handOver(machine, staysPaused: true, session, &dirty)
        return finish(result, runsOn: false, session)
    }

    /// Says where the guest is; one that stayed and ran before runs again before anything else.
    private func finish(
        _ result: consuming HandOver<Hardware>, runsOn: Bool, _ session: SourceSession<Outside>
    ) -> OutgoingOutcome<Hardware> {
        switch consume result {
        case .moved(let summary):
            return .moved(summary)
        case .gone(let error):
            return .gone(session.end(because: error))
        case .stranded(let machine, let error):
            session.noteReturn(error)
            return .stranded(machine, session.end(because: error))
        case .kept(let machine, let error):
            // Written down last: the guest does not wait for the disk.
            defer { session.noteReturn(error) }
            guard runsOn else { return .stayed(.paused(machine), session.end(because: error)) }
            switch machine.resume() {
            case .running(let machine):
                session.guestReturned()
                machine.hardware.stopDirtyTracking()
                return .stayed(.running(machine), session.end(because: error))
            case .failed(let machine, let cause):
                machine.hardware.stopDirtyTracking()
                logger.critical("the guest could not be resumed: \(cause)")
                return .stayed(.paused(machine), session.end(because: error))
            }
        }
    }
}
