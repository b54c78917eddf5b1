import GuestMemory
import LinuxSystem
public import Logging
public import Machine
import MigrationProtocol
public import Transport

/// Where the guest is after a migration, as its destination knows it.
public enum IncomingOutcome<Hardware: GuestHardware>: ~Copyable, Sendable {
    /// Here, running.
    case running(VirtualMachine<Hardware>)
    /// Here, standing still as it did at the source.
    case paused(PausedMachine<Hardware>)
    /// With its source; it will never run here in this session.
    case refused(MigrationError)
}

/// The destination's part of one migration.
///
/// ```
/// await source -> configure -> receive memory -> load state: Ready -> await Takeover
///      failure, lost connection, inquiry: the guest stays with the source, recorded first
/// Takeover -> take over, start -> Running
///          -> failure -> Returned
/// ```
///
/// Contract: the guest runs here only after its source has said that it let go, and this end has
/// said Running or answers so when it is asked; in every other case it never runs here. The
/// listener stays open afterwards and answers sources in doubt: close it when the process ends or
/// before it is to receive again. `run` blocks; `control` may be used from any thread.
public struct IncomingMigration<Factory: GuestFactory, Outside: Network>: Sendable {
    private let factory: Factory
    private let network: Outside
    private let listener: Outside.Listener
    private let control: IncomingControl
    private let observer: MigrationObserver
    private let journal: (any DecisionJournal)?
    private let logger: Logger

    /// A migration that has not arrived.
    public init(
        factory: Factory, network: Outside, listener: Outside.Listener, control: IncomingControl,
        observer: @escaping MigrationObserver = { _ in },
        journal: (any DecisionJournal)? = nil,
        logger: Logger = Logger(label: "migration.destination")
    ) {
        self.factory = factory
        self.network = network
        self.listener = listener
        self.control = control
        self.observer = observer
        self.journal = journal
        self.logger = logger
    }

    /// Waits for a source and takes its guest.
    public func run() -> IncomingOutcome<Factory.Hardware> {
        observer(.receiveReady)
        let memoryConnections = MemoryConnections(network: network, board: control.board)
        let channel: MessageChannel<Outside.Connection>
        do throws(MigrationError) {
            let reception = try Reception(
                network: network, listener: listener, control: control,
                memoryConnections: memoryConnections, logger: logger)
            channel = try reception.awaitSource()
        } catch {
            _ = control.withDecision { $0.fail(error.endReason) }
            // The door stays open only for sources of earlier migrations, which may be in doubt;
            // otherwise it is free for whoever is to receive there next.
            if control.ledger.isEmpty { listener.close() }
            return .refused(settle(error))
        }
        let session = DestinationSession(
            channel: channel, network: network, control: control,
            memoryConnections: memoryConnections, journal: journal, logger: logger)
        observer(.receiveStarted)
        control.board.begin(.connecting) { [network] in network.now }
        return receive(session)
    }

    /// The script.
    private func receive(
        _ session: DestinationSession<Outside>
    ) -> IncomingOutcome<Factory.Hardware> {
        let machine: IncomingMachine<Factory.Hardware>
        do throws(MigrationError) {
            machine = IncomingMachine(configured: try session.awaitConfiguration(factory))
        } catch {
            return .refused(settle(session.refuse(because: error)))
        }
        let state: [UInt8]
        do throws(MigrationError) {
            state = try session.receiveMemory(of: machine.hardware)
        } catch {
            machine.discard()
            return .refused(settle(session.refuse(because: error)))
        }
        switch machine.prepare(state: state) {
        case .failed(let error):
            return .refused(settle(session.refuse(because: .hardware(error))))
        case .prepared(let machine):
            return awaitTakeover(machine, session)
        }
    }

    /// Everything is here; the source decides.
    private func awaitTakeover(
        _ machine: consuming PreparedMachine<Factory.Hardware>,
        _ session: DestinationSession<Outside>
    ) -> IncomingOutcome<Factory.Hardware> {
        let takeover: DestinationTakeover
        do throws(MigrationError) {
            try session.sayReady()
            takeover = try session.awaitTakeover()
            try session.recordTakingOver()
        } catch {
            machine.discard()
            return .refused(settle(session.refuse(because: error)))
        }
        let outcome = machine.takeOver(
            backendState: takeover.backendState, staysPaused: takeover.staysPaused,
            willRun: session.setRunFlag)
        switch consume outcome {
        case .returned(let error):
            return .refused(settle(session.refuse(because: .hardware(error))))
        case .running(let machine):
            session.sayRunning()
            session.noteTookOver()
            arrived()
            session.close()
            return .running(machine)
        case .paused(let machine):
            session.sayRunning()
            session.noteTookOver()
            arrived()
            session.close()
            return .paused(machine)
        }
    }

    private func arrived() {
        control.board.endPart("takeover", at: network.now)
        control.settle()
        control.board.enter(.finished, at: network.now)
        logger.info("the guest is here")
        observer(.receiveFinished)
    }

    /// The guest stays with its source; nothing of it is held here any more.
    ///
    /// - Returns: the error. The outcome is made by the callers: Swift 6.3 copies a noncopyable
    ///   outcome that a function like this one returns, in optimized builds, which is a trap.
    private func settle(_ error: MigrationError) -> MigrationError {
        control.settle()
        let isCancelled = error.endReason.code == .cancelled
        control.board.update { $0.failure = error.description }
        control.board.enter(isCancelled ? .cancelled : .failed, at: network.now)
        logger.error("the guest stays with its source: \(error)")
        observer(.receiveFailed(reason: error.description))
        return error
    }
}
