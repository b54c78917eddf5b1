/// The destination's side of one migration, as a value: what each request may do, and what the
/// answers are. It does no I/O.
///
/// ```
/// Listening -Start-> Started -MemoryFd-> MemoryDescriptors -+
///                       |  Session, RunFlag stay here       |
///                       +---------Config---------------------+-> Configured  (Memory, ZeroRanges)
///                                                                   | State
///                                             Prepared <-Ready- Loading
///                                                | Takeover / Complete
///                                            TakingOver -> Running
/// before TakingOver:  failure, lost connection, inquiry -> Returned;  Abandon, Cancel -> Cancelled
/// in TakingOver:      failure -> Returned
/// ```
///
/// The driver loops: read a request, give it to `receive(_:)`, do the action, tell how it went,
/// send the answer. Whatever goes wrong ends in `fail(_:)` or `connectionLost()`. All calls must be
/// serialised, those for inquiries from other connections included.
public struct DestinationProtocol: Sendable {
    private enum State: Equatable {
        case listening
        case started
        case memoryDescriptors
        case configured
        case loading
        case prepared
        case takingOver
        case running
        case returned(EndReason)
        case cancelled(EndReason)
    }

    private let supported: Extensions
    /// May be lowered once the guest's configuration is known.
    public var limits: DestinationLimits
    /// How long restoring the guest's state will take here, in microseconds, to be told in the
    /// answer to Config; 0 where it is not known.
    public var restoreMicroseconds: UInt32 = 0
    /// What was decided in this and earlier sessions; keep it for the next migration.
    public private(set) var ledger: OwnershipLedger

    private var state: State = .listening
    private var session = DestinationSession()
    /// The request that is being carried out.
    private var pending: Command?

    /// A destination that waits for Start.
    ///
    /// - Parameters:
    ///   - supported: The extensions that it accepts if they are offered.
    ///   - ledger: The decisions of earlier migrations of this process.
    public init(
        supported: Extensions = .offered, limits: DestinationLimits = DestinationLimits(),
        ledger: OwnershipLedger = OwnershipLedger()
    ) {
        self.supported = supported
        self.limits = limits
        self.ledger = ledger
    }

    /// Where this end stands.
    public var phase: DestinationPhase {
        switch state {
        case .listening: .listening
        case .started: .started
        case .memoryDescriptors: .memoryDescriptors
        case .configured: .configured
        case .loading: .loading
        case .prepared: .prepared
        case .takingOver: .takingOver
        case .running: .running
        case .returned: .returned
        case .cancelled: .cancelled
        }
    }

    /// The extensions agreed on; empty before Start and with a base-protocol source.
    public var extensions: Extensions { session.extensions }

    /// The token of this migration; none with a base-protocol source.
    public var token: SessionToken? { session.token }

    /// Whether a token is that of this migration. How long that takes tells nothing about it.
    func matches(_ token: SessionToken) -> Bool {
        session.token.map { $0.equals(token) } ?? false
    }

    /// Whether memory descriptors were received, so that no contents will follow.
    public var isLocal: Bool { session.descriptorCount > 0 }

    /// Why the guest stayed with the source, once that is decided.
    public var endReason: EndReason? {
        switch state {
        case .returned(let reason), .cancelled(let reason): reason
        default: nil
        }
    }
}

// MARK: - Requests

extension DestinationProtocol {
    /// Takes the next request of the main connection and says what to do.
    ///
    /// When it throws, nothing has changed yet: call `fail(_:)` with the error's description.
    public mutating func receive(_ request: Request) throws(ProtocolError) -> DestinationAction {
        if case .returned(let reason) = state, session.hasOwnership || extensions.contains(.cancel)
        {
            // The refusal crossed this request on the way.
            return .refuse(.returned(reason), payloadBytes: request.length)
        }
        if let pending { throw .answerPending(pending) }
        guard request.command.isAllowed(by: extensions) else {
            throw .notNegotiated(request.command)
        }

        switch (state, request.command) {
        case (.listening, .start):
            return try start(request)
        case (.started, .session):
            return try receiveSession(request)
        case (.started, .memoryDescriptor), (.memoryDescriptors, .memoryDescriptor),
            (.started, .runFlag), (.memoryDescriptors, .runFlag):
            return try receiveDescriptor(request)
        case (.started, .config), (.memoryDescriptors, .config):
            return try receiveConfig(request)
        case (.configured, .memory), (.configured, .zeroRanges), (.configured, .memoryBlocks),
            (.configured, .verify):
            let action = try memoryAction(for: request)
            pending = request.command
            return action
        case (.configured, .state):
            let count = try byteCount(of: request, field: "State", limit: limits.stateBytes)
            state = .loading
            pending = .state
            return .loadState(byteCount: count)
        case (.prepared, .takeover) where session.hasOwnership,
            (.prepared, .complete) where !session.hasOwnership,
            (.prepared, .completePaused) where !session.hasOwnership:
            return try takeOver(request)
        case (.listening, .abandon), (.started, .abandon), (.memoryDescriptors, .abandon),
            (.configured, .abandon), (.prepared, .abandon), (.started, .cancel),
            (.memoryDescriptors, .cancel), (.configured, .cancel), (.prepared, .cancel):
            return try receiveCancellation(request)
        default:
            throw unexpected(request.command)
        }
    }

    private mutating func start(_ request: Request) throws(ProtocolError) -> DestinationAction {
        let offer = try ProtocolError.wrapping { () throws(FrameError) in
            try StartOffer(decoding: request)
        }
        let accepted = offer.accepted(by: supported)
        session.extensions = accepted ?? []
        state = .started
        return .send(StartAnswer.accepting(accepted))
    }

    private mutating func receiveSession(_ request: Request)
        throws(ProtocolError) -> DestinationAction
    {
        try require(request, length: SessionToken.byteCount)
        guard session.token == nil else { throw .repeated(.session) }
        pending = .session
        return .receiveToken
    }

    private mutating func receiveDescriptor(_ request: Request)
        throws(ProtocolError) -> DestinationAction
    {
        try require(request, length: DescriptorPayload.byteCount)
        try requireToken(before: request.command)
        if request.command == .runFlag {
            guard !session.hasRunFlag else { throw .repeated(.runFlag) }
            pending = .runFlag
            return .receiveRunFlag
        }
        guard session.descriptorCount < Limits.maximumMemoryDescriptors else {
            throw .frame(
                .overLimit(
                    field: "The number of memory descriptors",
                    value: UInt64(session.descriptorCount) + 1,
                    limit: UInt64(Limits.maximumMemoryDescriptors)))
        }
        pending = .memoryDescriptor
        return .receiveMemoryDescriptor
    }

    private mutating func receiveConfig(_ request: Request)
        throws(ProtocolError) -> DestinationAction
    {
        try requireToken(before: .config)
        if session.hasOwnership, isLocal, !session.hasRunFlag {
            throw .missing("RunFlag", before: .config)
        }
        let count = try byteCount(of: request, field: "Config", limit: Limits.maximumConfigBytes)
        pending = .config
        return .receiveConfig(byteCount: count)
    }

    private mutating func takeOver(_ request: Request) throws(ProtocolError) -> DestinationAction {
        let limit = limits.stateBytes
        let takeover = try ProtocolError.wrapping { () throws(FrameError) in
            try Takeover(decoding: request, limit: limit)
        }
        state = .takingOver
        pending = request.command
        return .takeOver(takeover)
    }

    private mutating func receiveCancellation(_ request: Request)
        throws(ProtocolError) -> DestinationAction
    {
        var code = EndReason.Code.cancelled
        var textBytes = 0
        if request.command == .cancel {
            code = EndReason.Code(rawValue: request.fields.first) ?? .failed
            textBytes = try ProtocolError.wrapping { () throws(FrameError) in
                try Text.byteCount(request.length)
            }
        } else {
            try require(request, length: 0)
        }
        // Decided here already: a text that never arrives changes nothing.
        let reason = EndReason(code, "The source called the migration off.")
        state = .cancelled(reason)
        recordReturned(reason)
        pending = request.command
        return .receiveCancellation(code, textBytes: textBytes)
    }
}

// MARK: - How the work went

extension DestinationProtocol {
    /// The token was read. The answer is to be sent.
    public mutating func tokenReceived(_ token: SessionToken) throws(ProtocolError) -> Answer {
        guard pending == .session else { throw impossible("A session token") }
        guard !ledger.contains(token) else { throw .tokenReused }
        pending = nil
        session.token = token
        return .ok
    }

    /// The work of the last request is done, up to "Ready" after State. The answer is to be sent.
    public mutating func finishStep() throws(ProtocolError) -> Answer {
        switch pending {
        case .memoryDescriptor:
            session.descriptorCount += 1
            state = .memoryDescriptors
        case .runFlag:
            session.hasRunFlag = true
        case .config:
            state = .configured
            pending = nil
            return session.hasOwnership ? .configured(in: restoreMicroseconds) : .ok
        case .memory, .zeroRanges, .memoryBlocks, .verify:
            break
        case .state:
            state = .prepared
        default:
            throw impossible("The end of a step")
        }
        pending = nil
        return .ok
    }

    /// Everything is bound and the locks are held: from now on the guest is this end's for ever.
    ///
    /// Call it before the first vCPU enters the guest and before the run flag is set; send the
    /// answer after the guest has been started (or left paused). Nothing that happens later, be it
    /// that the answer cannot be sent, takes the guest back.
    public mutating func commitRunning() throws(ProtocolError) -> Answer {
        guard state == .takingOver else { throw impossible("Running the guest") }
        state = .running
        pending = nil
        if let token = session.token { ledger.record(.running, for: token) }
        return session.hasOwnership ? .running : .ok
    }

    /// The source's reason was read. Close the connection after the answer.
    public mutating func cancellationReceived(text: String) throws(ProtocolError) -> Answer {
        guard case .cancelled(let reason) = state, pending != nil else {
            throw impossible("A cancellation")
        }
        pending = nil
        if !text.isEmpty { state = .cancelled(EndReason(reason.code, text)) }
        return .ok
    }

    /// Something went wrong at this end, or the peer broke the rules: the guest stays with the
    /// source. Let go of everything that is bound, then send the answer, if any, and close.
    ///
    /// - Returns: nil if the guest is this end's already, or if the refusal was said before.
    public mutating func fail(_ reason: EndReason) -> Answer? {
        switch state {
        case .running, .returned, .cancelled:
            return nil
        case .listening, .started, .memoryDescriptors, .configured, .loading, .prepared,
            .takingOver:
            let wasTakingOver = state == .takingOver
            giveUp(reason)
            let isCancel = reason.code == .cancelled && extensions.contains(.cancel)
            if isCancel || (wasTakingOver && session.hasOwnership) { return .returned(reason) }
            return .error(reason.text, extensions: extensions)
        }
    }

    /// Somebody at this end calls it off. As `fail(_:)`, but only while the source owns the guest.
    ///
    /// The answer may be sent at any time, also while no request is pending.
    public mutating func cancel(_ text: String) throws(ProtocolError) -> Answer? {
        guard state != .takingOver, state != .running else { throw .pastPointOfNoReturn }
        return fail(EndReason(.cancelled, text))
    }

    /// The main connection broke. A source that is gone can never say Takeover again.
    public mutating func connectionLost() -> DestinationLoss {
        switch state {
        case .takingOver, .running:
            return .goOn
        case .listening, .started, .memoryDescriptors, .configured, .loading, .prepared:
            giveUp(EndReason(.connectionLost, "The connection to the source was lost."))
            return .discard
        case .returned, .cancelled:
            return .discard
        }
    }

    /// A source in doubt asks what became of a guest.
    ///
    /// If this migration is the one meant and Takeover was not seen, it never will be accepted: the
    /// refusal is recorded and then said.
    public mutating func inquiry(_ token: SessionToken) -> InquiryReaction {
        guard token == session.token else { return .answer(ledger.answer(to: token)) }
        switch state {
        case .takingOver:
            return .answer(.unknown)
        case .running, .returned, .cancelled:
            return .answer(ledger.answer(to: token))
        case .listening, .started, .memoryDescriptors, .configured, .loading, .prepared:
            giveUp(EndReason(.connectionLost, "The source inquired before it let the guest go."))
            return .discardAndAnswer(ledger.answer(to: token))
        }
    }
}

// MARK: - Parts

extension DestinationProtocol {
    private mutating func giveUp(_ reason: EndReason) {
        state = .returned(reason)
        pending = nil
        recordReturned(reason)
    }

    private mutating func recordReturned(_ reason: EndReason) {
        if let token = session.token { ledger.record(.returned(reason), for: token) }
    }

    private func requireToken(before command: Command) throws(ProtocolError) {
        guard !session.hasOwnership || session.token != nil else {
            throw .missing("Session", before: command)
        }
    }

    private func require(_ request: Request, length: Int) throws(ProtocolError) {
        guard request.length == UInt64(length) else {
            throw .frame(.invalidLength(command: request.command, length: request.length))
        }
    }

    private func byteCount(of request: Request, field: String, limit: Int)
        throws(ProtocolError) -> Int
    {
        guard let count = Int(exactly: request.length), count <= limit else {
            throw .frame(
                .overLimit(field: field, value: request.length, limit: UInt64(max(limit, 0))))
        }
        return count
    }

    private func unexpected(_ command: Command) -> ProtocolError {
        .unexpectedCommand(command, state: phase.rawValue)
    }

    private func impossible(_ event: String) -> ProtocolError {
        .unexpectedEvent(event, state: phase.rawValue)
    }
}
