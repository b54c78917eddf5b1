/// The source's side of one migration, as a value: what may be sent when, and what each answer and
/// each failure means for the owner of the guest. It does no I/O.
///
/// ```
/// Negotiating -> Configuring -> PreCopy -> FinalRound -> AwaitReady -> Releasing
///      any of these: failure, lost connection, cancel -> Recovered
///                              == point of no return ==
/// Releasing -Takeover-> PointOfNoReturn -Running-> Gone
///                              | Returned -> Recovered
///                              | anything else -> InDoubt -inquiry: running-> Gone
///                                                    | returned -> Recovered
///                                                    | destination dead, run flag clear -> Recovered
///                                                    | destination dead, run flag set -> Lost
/// ```
///
/// The driver asks `send(_:)` for the header of each message, sends it with its payload, reads the
/// answer and gives it to `answered(_:text:)`. Whatever goes wrong goes to `fail(_:)`, which says
/// whether the guest may go on here. One request is in flight at a time.
public struct SourceProtocol: Sendable {
    private enum State: Equatable {
        case negotiating
        case configuring
        case preCopy
        case finalRound
        case awaitReady
        case releasing
        case pointOfNoReturn
        case inDoubt
        case gone
        case recovered(EndReason)
        case lost(EndReason)
    }

    /// How memory gets to the destination.
    public let mode: Mode
    /// The secret that names this migration; sent with `SourceMessage.session`.
    public let token: SessionToken

    private var state: State = .negotiating
    private var offer: StartOffer
    private var agreed: Extensions = []
    private var isSessionSent = false
    private var isRunFlagSent = false
    private var descriptorCount = 0
    /// How long the destination will take to restore the guest's state, in microseconds, as it said
    /// in its answer to Config; nil where it did not.
    public private(set) var toldRestoreMicroseconds: UInt32?
    /// The request whose answer is due.
    private var pending: Command?
    /// Sticky: the run flag was seen set.
    private var guestHasRun = false

    /// A source about to send Start.
    ///
    /// - Parameters:
    ///   - token: Fresh from the kernel's random source.
    ///   - offering: The extensions to offer; nil speaks the base protocol only.
    public init(mode: Mode, token: SessionToken, offering: Extensions? = .offered) {
        self.mode = mode
        self.token = token
        offer = StartOffer(extensions: offering)
    }

    /// Where this end stands.
    public var phase: SourcePhase {
        switch state {
        case .negotiating: .negotiating
        case .configuring: .configuring
        case .preCopy: .preCopy
        case .finalRound: .finalRound
        case .awaitReady: .awaitReady
        case .releasing: .releasing
        case .pointOfNoReturn: .pointOfNoReturn
        case .inDoubt: .inDoubt
        case .gone: .gone
        case .recovered: .recovered
        case .lost: .lost
        }
    }

    /// The extensions agreed on; empty before Start and with a base-protocol destination.
    public var extensions: Extensions { agreed }

    /// When the backends are to be let go.
    public var releaseMoment: ReleaseMoment { hasOwnership ? .afterReady : .beforeState }

    /// Whether the migration can still be called off.
    public var isBeforePointOfNoReturn: Bool {
        switch state {
        case .negotiating, .configuring, .preCopy, .finalRound, .awaitReady, .releasing: true
        case .pointOfNoReturn, .inDoubt, .gone, .recovered, .lost: false
        }
    }

    private var hasOwnership: Bool { agreed.contains(.ownership) }
}

// MARK: - Requests

extension SourceProtocol {
    /// The header of the message to send now. The state moves on as if it had been sent.
    ///
    /// After this has returned the header of `takeover` the guest may be the destination's: from
    /// then on only the peer's word frees it.
    public mutating func send(_ message: SourceMessage) throws(ProtocolError) -> Request {
        let request = message.request(offer: offer, agreed: agreed)
        if let pending { throw .answerPending(pending) }
        switch (state, message) {
        case (.negotiating, .start):
            break
        case (.configuring, .session):
            guard hasOwnership else { throw .notNegotiated(.session) }
            guard !isSessionSent else { throw .repeated(.session) }
        case (.configuring, .memoryDescriptor) where mode == .local:
            try requireSession(before: .memoryDescriptor)
        case (.configuring, .runFlag) where mode == .local:
            guard hasOwnership else { throw .notNegotiated(.runFlag) }
            guard !isRunFlagSent else { throw .repeated(.runFlag) }
            try requireSession(before: .runFlag)
        case (.configuring, .config(let byteCount)):
            try requireAllBeforeConfig()
            try require(byteCount, atMost: Limits.maximumConfigBytes, field: "Config")
        // A table without ranges says that this end is still there.
        case (.preCopy, .memory(let count)) where mode == .preCopy || count == 0,
            (.finalRound, .memory(let count)) where mode == .preCopy:
            try require(count, atMost: Limits.maximumRanges, field: "A range table")
        case (.preCopy, .zeroRanges(let count)) where mode == .preCopy,
            (.finalRound, .zeroRanges(let count)) where mode == .preCopy:
            guard agreed.contains(.zeroRanges) else { throw .notNegotiated(.zeroRanges) }
            try require(count, atMost: Limits.maximumRanges, field: "A range table")
        case (.preCopy, .memoryBlocks(let count, let format)) where mode == .preCopy,
            (.finalRound, .memoryBlocks(let count, let format)) where mode == .preCopy:
            guard request.command.isAllowed(by: agreed), format.isAllowed(by: agreed) else {
                throw .notNegotiated(.memoryBlocks)
            }
            try require(count, atMost: Limits.maximumRanges, field: "A range table")
        case (.finalRound, .verify(let count)) where mode == .preCopy:
            guard agreed.contains(.checksums) else { throw .notNegotiated(.verify) }
            try require(count, atMost: Limits.maximumRanges, field: "A list of digests")
        case (.finalRound, .state(let byteCount)):
            try require(byteCount, atMost: Limits.maximumStateBytes, field: "State")
            state = .awaitReady
        case (.releasing, .takeover(let takeover)):
            guard hasOwnership || takeover.backendStateBytes == 0 else {
                throw .notNegotiated(.takeover)
            }
            try require(
                takeover.backendStateBytes, atMost: Limits.maximumStateBytes,
                field: "Back-end state")
            state = .pointOfNoReturn
        default:
            throw .unexpectedCommand(request.command, state: phase.rawValue)
        }
        pending = request.command
        return request
    }

    /// The guest was stopped: nothing dirties its memory any more.
    public mutating func guestPaused() throws(ProtocolError) {
        guard state == .preCopy else {
            throw .unexpectedEvent("Pausing the guest", state: phase.rawValue)
        }
        state = .finalRound
    }

    private func requireSession(before command: Command) throws(ProtocolError) {
        guard !hasOwnership || isSessionSent else { throw .missing("Session", before: command) }
    }

    private func requireAllBeforeConfig() throws(ProtocolError) {
        try requireSession(before: .config)
        guard mode == .local else { return }
        guard descriptorCount > 0 else { throw .missing("MemoryFd", before: .config) }
        guard !hasOwnership || isRunFlagSent else { throw .missing("RunFlag", before: .config) }
    }

    private func require(_ value: Int, atMost limit: Int, field: String) throws(ProtocolError) {
        guard (0...limit).contains(value) else {
            throw .frame(
                .overLimit(field: field, value: UInt64(clamping: value), limit: UInt64(limit)))
        }
    }
}

// MARK: - Answers

extension SourceProtocol {
    /// How many bytes of text follow `response`, the answer to the request in flight.
    public func textByteCount(of response: Response) throws(ProtocolError) -> Int {
        let (agreed, offer, pending) = (agreed, offer, pending)
        return try ProtocolError.wrapping { () throws(FrameError) in
            let extensions =
                pending == .start ? try StartAnswer.accepted(response, offer) : agreed
            return switch response.status {
            case .error where extensions.contains(.errorText),
                .returned where !extensions.isDisjoint(with: [.ownership, .cancel]):
                try Text.byteCount(response.length)
            default: 0
            }
        }
    }

    /// Takes an answer: the one to the request in flight, or an unasked Returned.
    ///
    /// - Parameter text: The `textByteCount(of:)` bytes after the header.
    public mutating func answered(_ response: Response, text: Span<UInt8>) -> SourceAction {
        let reason: EndReason
        do {
            reason = try EndReason(answer: response, text: text, to: pending)
        } catch {
            return fail(EndReason(.failed, error.description))
        }
        guard let command = pending else { return answeredUnasked(response, reason) }
        pending = nil
        switch command {
        case .start: return started(response, reason)
        case .takeover, .complete, .completePaused: return takeoverAnswered(response, reason)
        default: break
        }
        guard response.status == .ok else { return recover(reason) }
        if command == .config, hasOwnership {
            let told = UInt32(response.fields.third) << 16 | UInt32(response.fields.second)
            toldRestoreMicroseconds = told == 0 ? nil : told
        }
        return advance(after: command)
    }

    private mutating func started(_ response: Response, _ reason: EndReason) -> SourceAction {
        let answer: StartAnswer
        do {
            answer = try StartAnswer(decoding: response, to: offer)
        } catch {
            return recover(EndReason(.failed, error.description))
        }
        switch answer {
        case .agreed(let extensions):
            agreed = extensions
            state = .configuring
            return .goOn
        case .retryWithoutExtensions:
            offer = StartOffer(extensions: nil)
            return .reconnectWithoutExtensions
        case .refused:
            return recover(reason)
        }
    }

    private mutating func advance(after command: Command) -> SourceAction {
        switch command {
        case .session: isSessionSent = true
        case .memoryDescriptor: descriptorCount += 1
        case .runFlag: isRunFlagSent = true
        case .config: state = .preCopy
        case .state:
            state = .releasing
            return .release
        default: break
        }
        return .goOn
    }

    private mutating func takeoverAnswered(
        _ response: Response, _ reason: EndReason
    ) -> SourceAction {
        switch response.status {
        case .running where hasOwnership, .ok where !hasOwnership:
            state = .gone
            return .end
        case .returned where hasOwnership:
            return returned(reason)
        case .ok, .error, .running, .returned, .unknown:
            // Not the word that frees the guest. A base-protocol destination says Error before
            // it stops what it may have started.
            return doubt()
        }
    }

    private mutating func answeredUnasked(
        _ response: Response, _ reason: EndReason
    ) -> SourceAction {
        guard isBeforePointOfNoReturn else { return currentAction }
        guard response.status == .returned else {
            return recover(EndReason(.failed, "The destination answered without being asked."))
        }
        return recover(reason)
    }
}

// MARK: - Ends

extension SourceProtocol {
    /// Something went wrong at this end, or the connection broke, or the peer fell silent.
    ///
    /// Before the point of no return the guest goes on here; after it, only the peer's word counts.
    public mutating func fail(_ reason: EndReason) -> SourceAction {
        if isBeforePointOfNoReturn { return recover(reason, farewell: farewell(reason)) }
        return state == .pointOfNoReturn ? doubt() : currentAction
    }

    /// Somebody at this end calls the migration off.
    public mutating func cancel(_ text: String) throws(ProtocolError) -> SourceAction {
        guard isBeforePointOfNoReturn else {
            switch state {
            case .recovered, .lost:
                throw .unexpectedEvent("Cancelling", state: phase.rawValue)
            default: throw .pastPointOfNoReturn
            }
        }
        let reason = EndReason(.cancelled, text)
        return recover(reason, farewell: farewell(reason))
    }

    /// The run flag was seen set. It is never forgotten: going back is refused from now on.
    ///
    /// Read the flag and call this before every event that follows Takeover in a local migration.
    /// Before Takeover no destination sets it, and it changes nothing.
    public mutating func runFlagIsSet() {
        guestHasRun = true
    }

    /// The answer to an inquiry. An inquiry that got none changes nothing: inquire again.
    public mutating func inquiryAnswered(_ answer: InquiryAnswer)
        throws(ProtocolError) -> SourceAction
    {
        guard state == .inDoubt, hasOwnership else {
            throw .unexpectedEvent("An inquiry", state: phase.rawValue)
        }
        switch answer {
        case .running:
            state = .gone
            return .end
        case .returned(let reason):
            return returned(reason)
        case .unknown:
            return currentAction
        }
    }

    /// The process of the destination is known to be dead (local migration, by its pidfd).
    public mutating func destinationDied() -> SourceAction {
        let reason = EndReason(.connectionLost, "The destination process died.")
        if isBeforePointOfNoReturn { return recover(reason) }
        guard state == .pointOfNoReturn || state == .inDoubt else { return currentAction }
        guard isRunFlagSent else { return doubt() }
        return returned(reason)
    }

    /// A person says what became of the guest.
    public mutating func resolve(_ resolution: OperatorResolution)
        throws(ProtocolError) -> SourceAction
    {
        guard state == .inDoubt else {
            throw .unexpectedEvent("Resolving a doubt", state: phase.rawValue)
        }
        switch resolution {
        case .takeBack:
            guard !guestHasRun else { throw .guestHasRun }
            return recover(EndReason(.failed, "The operator took the guest back."))
        case .giveUp:
            state = .gone
            return .end
        }
    }

    /// What the state asks for when an event brought nothing new.
    private var currentAction: SourceAction {
        switch state {
        case .inDoubt, .pointOfNoReturn: hasOwnership ? .inquire : .awaitOperator
        case .gone: .end
        case .recovered(let reason): .recover(reason, farewell: [])
        case .lost(let reason): .guestLost(reason)
        case .negotiating, .configuring, .preCopy, .finalRound, .awaitReady, .releasing: .goOn
        }
    }

    private mutating func doubt() -> SourceAction {
        state = .inDoubt
        pending = nil
        return currentAction
    }

    /// The guest did not run at the destination, unless the run flag says otherwise.
    private mutating func returned(_ reason: EndReason) -> SourceAction {
        guard guestHasRun else { return recover(reason) }
        state = .lost(reason)
        return .guestLost(reason)
    }

    private mutating func recover(_ reason: EndReason, farewell: [UInt8] = []) -> SourceAction {
        state = .recovered(reason)
        pending = nil
        return .recover(reason, farewell: farewell)
    }

    /// The request that tells the destination; only possible between two requests.
    private func farewell(_ reason: EndReason) -> [UInt8] {
        guard pending == nil, state != .negotiating, reason.code != .connectionLost else {
            return []
        }
        guard agreed.contains(.cancel) else { return Request(.abandon).encoded }
        let text = Array(reason.text.utf8)
        let request = Request(.cancel, length: UInt64(text.count), fields: reason.fields)
        return request.encoded + text
    }
}
