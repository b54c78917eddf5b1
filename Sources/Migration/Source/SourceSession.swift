import ContentCoding
import GuestMemory
import LinuxSystem
import Logging
import Machine
import MigrationProtocol
import Transport

/// One migration at the source, without the guest: the connection, the protocol's state, time.
///
/// Its methods are the steps of `OutgoingMigration.run`. All of them run on the migration's thread
/// and end when the limits of the step are reached.
final class SourceSession<Outside: Network> {
    let options: MigrationOptions
    let network: Outside
    let control: OutgoingControl
    let observer: MigrationObserver
    let journal: SessionJournal
    let logger: Logger

    /// What the guest did to its whole machine meanwhile.
    let pendingEvent: @Sendable () -> GuestEvent?

    /// The protocol's state; says what may be sent and what an answer means.
    var state: SourceProtocol

    /// The main connection, once there is one.
    var channel: MessageChannel<Outside.Connection>?

    /// The memory connections and their threads, where memory does not go over the main one.
    var workers: MemoryWorkers<Outside>?

    /// The flag that both ends of a local migration share.
    var runFlag: SharedFlag?

    /// Whether the answer to Takeover was lost.
    var isInDoubt = false

    /// Whether the journal says that the guest was offered to the destination.
    var isOfferRecorded = false

    /// How long to wait before the next inquiry, in nanoseconds.
    var inquiryBackOff: UInt64 = 100_000_000

    var clock = BlackoutClock() {
        didSet { control.board.show(clock) }
    }
    var convergence: Convergence
    var iterations: UInt64 = 0
    var memoryBytes: UInt64 = 0
    var lastRoundNanoseconds: UInt64 = 0

    /// The batch of memory whose answer is still to come.
    var batch: Batch?

    /// Bytes per second of the last batch with contents; 0 before there was one.
    var batchRate: UInt64 = 0

    /// How contents of memory go; known once extensions are agreed on.
    lazy var contents = ContentPlan(
        options, extensions: state.extensions, clock: { [network] in network.now })

    /// Makes what goes over the main connection.
    lazy var encoder = ContentEncoder(contents)

    /// Whether nobody writes to the guest's memory.
    var guestStands = false

    /// Limits of the current step, for operations: `checkLimits` brings them up to date.
    var limits: OperationLimits

    /// When the current step has to be over; operations under way get a little more, so that the
    /// connection stays usable for telling the peer.
    var stepDeadline: MonotonicInstant?

    /// Time, as the threads that send memory share it.
    let watch: PreCopyWatch

    /// Spreads what all of them send over time.
    let limiter = BandwidthLimiter()

    /// Whether all memory was sent once.
    var hasSentAllOnce = false

    /// How much time is taken from a guest that writes too fast.
    var throttle = ThrottlePlan()

    /// Whether the user was told that the rounds do not shrink any more.
    var wasStallLogged = false

    /// Whether the guest could be switched, and the word for that is awaited.
    var isHolding = false

    /// The blackout as it was predicted when the guest was paused, in nanoseconds.
    var predictedBlackout: UInt64?

    /// How long the destination takes to restore a guest like this, as it told, in nanoseconds.
    var toldRestoreTime: UInt64?

    /// How long a small message and its answer take, in nanoseconds.
    var turnAround: UInt64?

    /// How long reading the record of written pages took last, in nanoseconds.
    var collectTime: UInt64 = 0

    let start: MonotonicInstant

    init(
        options: MigrationOptions, network: Outside, control: OutgoingControl,
        observer: @escaping MigrationObserver, journal: (any DecisionJournal)?, logger: Logger,
        pendingEvent: @escaping @Sendable () -> GuestEvent?
    ) {
        self.pendingEvent = pendingEvent
        self.options = options
        self.network = network
        self.control = control
        self.observer = observer
        self.journal = SessionJournal(journal: journal, logger: logger)
        self.logger = logger
        state = SourceProtocol(
            mode: options.mode == .local ? .local : .preCopy, token: .random(),
            offering: options.offersExtensions ? .offered : nil)
        control.begin(with: options.settings, holds: options.holdsBeforeSwitchover)
        convergence = Convergence(goal: options.settings.downtimeNanoseconds)
        limits = OperationLimits(cancellation: control.cancellation)
        start = network.now
        watch = PreCopyWatch(control) { network.now }
        control.board.begin(.connecting) { network.now }
    }

    /// A batch of memory on its way.
    struct Batch {
        var began: MonotonicInstant
        /// Bytes of content; none for zeros.
        var bytes: UInt64
        /// How they are compressed.
        var method: CompressionMethod?
    }

    /// Whether takeover, with its two answers, was agreed on.
    var hasOwnership: Bool { state.extensions.contains(.ownership) }

    /// Whether a token ties memory connections to the main one.
    var hasBoundConnections: Bool { state.extensions.isSuperset(of: [.session, .ownership]) }

    /// Makes the memory connections, if there shall be any.
    func startWorkers(memory: GuestRAM) throws(MigrationError) {
        guard options.mode == .preCopy, options.connections > 1 else { return }
        do throws(MigrationError) {
            workers = try MemoryWorkers.start(
                count: options.connections, for: self, memory: memory)
        } catch {
            throw reason(behind: error)
        }
    }

    /// Closes the memory connections, if there are any.
    func endWorkers(_ manner: ClosingManner) {
        workers?.end(manner)
        workers = nil
    }

    /// A memory connection failed: what the destination has said on the main one, if anything, is
    /// the better error.
    func reason(behind error: MigrationError) -> MigrationError {
        guard case .transport = error else { return error }
        let limits = OperationLimits(
            idleSeconds: 1, deadline: limits.deadline, cancellation: limits.cancellation)
        do throws(MigrationError) {
            try awaitAnswer(within: limits)
        } catch let said {
            if case .endedByPeer = said { return said }
        }
        return explained(error)
    }

    /// Sends one message and takes its answer.
    ///
    /// - Parameter memoryBytes: memory that the destination may take before it answers.
    /// - Returns: what to do next; never `.recover`, which is thrown as the peer's reason.
    @discardableResult
    func exchange(
        _ message: SourceMessage, payload: [UInt8] = [], taking memoryBytes: UInt64 = 0
    ) throws(MigrationError) -> SourceAction {
        let request = try prepare(message)
        let channel = try mainChannel()
        let began = network.now
        do throws(MigrationError) {
            try channel.send(request, payload: payload, within: limits)
        } catch {
            return try earlyAnswer(insteadOf: error)
        }
        let action = try awaitAnswer(within: limits.allowing(taking: memoryBytes))
        if message == .start || message == .session {
            // The destination has nothing to do for them: whichever took longer was held up.
            turnAround = min(turnAround ?? .max, network.now.nanoseconds(since: began))
        }
        return action
    }

    /// Sends one message of the memory loop and leaves its answer for later.
    ///
    /// - Returns: whether there is an answer to come; it may have come early.
    func begin(
        _ message: SourceMessage, payload: [UInt8], contents: [MemorySegment] = []
    ) throws(MigrationError) -> Bool {
        let request = try prepare(message)
        let channel = try mainChannel()
        do throws(MigrationError) {
            try channel.send(request, payload: payload, contents: contents, within: limits)
            return true
        } catch {
            try earlyAnswer(insteadOf: error)
            return false
        }
    }

    /// Sends one message with a descriptor and takes its answer.
    func exchange(
        _ message: SourceMessage, payload: [UInt8], descriptor: borrowing OwnedDescriptor
    ) throws(MigrationError) {
        let request = try prepare(message)
        let channel = try mainChannel()
        do throws(MigrationError) {
            try channel.send(
                request, payload: payload, descriptor: descriptor, within: limits)
        } catch {
            try earlyAnswer(insteadOf: error)
            return
        }
        try awaitAnswer(within: limits)
    }

    /// The header of a message that may be sent now and for which there is time.
    private func prepare(_ message: SourceMessage) throws(MigrationError) -> Request {
        try checkLimits()
        do throws(ProtocolError) {
            return try state.send(message)
        } catch {
            throw .invalidMessage(error)
        }
    }

    func mainChannel() throws(MigrationError) -> MessageChannel<Outside.Connection> {
        guard let channel else {
            throw .transport(.closed(peer: "\(options.destination)"))
        }
        return channel
    }

    /// Sending failed: if the destination has said why, its answer is the better error.
    @discardableResult
    func earlyAnswer(
        insteadOf error: MigrationError
    ) throws(MigrationError) -> SourceAction {
        switch error {
        case .transport(.answeredEarly), .transport(.truncated): break
        default: throw explained(error)
        }
        do throws(MigrationError) {
            return try awaitAnswer(
                within: OperationLimits(
                    idleSeconds: 1, deadline: limits.deadline, cancellation: limits.cancellation))
        } catch {
            if case .endedByPeer = error { throw error }
        }
        throw explained(error)
    }

    @discardableResult
    func awaitAnswer(within limits: OperationLimits) throws(MigrationError) -> SourceAction {
        let channel = try mainChannel()
        let action: SourceAction
        do throws(MigrationError) {
            let response = try channel.receiveResponse(within: limits)
            let count: Int
            do throws(ProtocolError) {
                count = try state.textByteCount(of: response)
            } catch {
                throw MigrationError.invalidMessage(error)
            }
            let text = try channel.receivePayload(count, within: limits)
            action = state.answered(response, text: text.span)
            noteTold()
            watch.noteAnswer()
        } catch {
            throw explained(error)
        }
        if case .recover(let reason, _) = action { throw .endedByPeer(reason) }
        return action
    }

    // MARK: - The end

    /// The guest runs here again after the blackout of a migration that failed.
    func guestReturned() {
        control.board.endPart("return", at: network.now)
    }

    /// The epilogue of every migration that failed before the point of no return, after the guest
    /// has been given back: tells the destination, closes, tells the observers.
    func end(because error: MigrationError) -> MigrationError {
        endWorkers(.abrupt)
        let wasOverAlready = state.phase == .recovered
        var farewell: [UInt8] = []
        if !wasOverAlready, case .recover(_, let bytes) = state.fail(error.endReason) {
            farewell = bytes
        }
        if let channel {
            do throws(TransportError) {
                if !farewell.isEmpty {
                    try channel.connection.send(
                        farewell, within: OperationLimits(idleSeconds: 1))
                }
                channel.connection.close(
                    farewell.isEmpty && !wasOverAlready ? .abrupt : .orderly)
            } catch {
                // A courtesy that did not arrive; the destination sees the connection end.
                channel.connection.close(.abrupt)
            }
        }
        logger.error("the migration failed: \(error)")
        let isCancelled = error.endReason.code == .cancelled
        control.board.update {
            $0.failure = error.description
            $0.throttlePercent = 0
            $0.isHolding = false
        }
        control.board.enter(isCancelled ? .cancelled : .failed, at: network.now)
        observer(
            isCancelled
                ? .cancelled(reason: error.description) : .failed(reason: error.description))
        return error
    }

    /// What a success looks like.
    func summary() -> MigrationSummary {
        MigrationSummary(
            mode: options.mode, totalNanoseconds: network.now.nanoseconds(since: start),
            memoryBytes: memoryBytes, iterations: iterations, blackout: clock.blackout,
            predictedBlackout: predictedBlackout)
    }
}
