import GuestMemory
import LinuxSystem
import Logging
import Machine
import MigrationProtocol
import Transport

/// What Takeover brought.
struct DestinationTakeover {
    var backendState: [UInt8]
    var staysPaused: Bool
}

/// One migration at the destination, without the guest: the connection and the steps on it.
final class DestinationSession<Outside: Network> {
    let channel: MessageChannel<Outside.Connection>
    let network: Outside
    let control: IncomingControl
    let memoryConnections: MemoryConnections<Outside>
    let journal: SessionJournal
    let logger: Logger

    /// Whether the journal says that a guest is on its way.
    var isReceivingRecorded = false

    /// Limits of every operation: a silent source is noticed, a cancel too.
    let limits: OperationLimits

    /// The flag that both ends of a local migration share.
    private(set) var runFlag: SharedFlag?

    init(
        channel: MessageChannel<Outside.Connection>, network: Outside, control: IncomingControl,
        memoryConnections: MemoryConnections<Outside>, journal: (any DecisionJournal)?,
        logger: Logger
    ) {
        self.channel = channel
        self.network = network
        self.control = control
        self.memoryConnections = memoryConnections
        self.journal = SessionJournal(journal: journal, logger: logger)
        self.logger = logger
        limits = OperationLimits(
            cancellation: control.cancellation, activity: memoryConnections.activity)
    }

    // MARK: - Configuration

    /// Negotiates, takes descriptors and builds the machine.
    func awaitConfiguration<Factory: GuestFactory>(
        _ factory: Factory
    ) throws(MigrationError) -> Factory.Hardware {
        var passed = PassedMemory()
        while true {
            switch try nextAction() {
            case .send(let answer):
                try channel.send(answer, within: limits)
            case .receiveToken:
                try receiveToken()
            case .receiveMemoryDescriptor:
                try receiveMemoryDescriptor(into: &passed)
            case .receiveRunFlag:
                try receiveRunFlag()
            case .receiveConfig(let byteCount):
                let description = try receiveDescription(byteCount)
                try recordReceiving()
                return try build(description, passed, factory)
            case let action:
                throw unexpected(action)
            }
        }
    }

    private func receiveToken() throws(MigrationError) {
        let bytes = try channel.receivePayload(SessionToken.byteCount, within: limits)
        let token: SessionToken
        do throws(FrameError) {
            token = try SessionToken(decoding: bytes.span)
        } catch {
            throw .invalidMessage(.frame(error))
        }
        try answer { (decision) throws(ProtocolError) in try decision.tokenReceived(token) }
    }

    private func receiveMemoryDescriptor(
        into passed: inout PassedMemory
    ) throws(MigrationError) {
        var payload: [UInt8] = []
        let file = try channel.receiveDescriptor(payload: &payload, within: limits)
        let slot: UInt32
        do throws(FrameError) {
            slot = try DescriptorPayload.decodeSlot(payload.span)
        } catch {
            throw .invalidMessage(.frame(error))
        }
        guard passed.insert(file, slot: slot) else {
            throw .invalidConfiguration("memory slot \(slot) was handed over twice")
        }
        try finishStep()
    }

    private func receiveRunFlag() throws(MigrationError) {
        var payload: [UInt8] = []
        let file = try channel.receiveDescriptor(payload: &payload, within: limits)
        do throws(FrameError) {
            try RunFlag.validate(payload.span)
        } catch {
            throw .invalidMessage(.frame(error))
        }
        do throws(SystemError) {
            runFlag = try SharedFlag(adopting: file)
        } catch {
            throw .invalidConfiguration("the shared flag cannot be used: \(error)")
        }
        try finishStep()
    }

    private func receiveDescription(_ byteCount: Int) throws(MigrationError) -> GuestDescription {
        let bytes = try channel.receivePayload(byteCount, within: limits)
        let payload: ConfigPayload
        do throws(ConfigError) {
            payload = try ConfigPayload(decoding: bytes)
        } catch {
            throw .invalidConfiguration("\(error)")
        }
        return try GuestDescription(payload)
    }

    private func build<Factory: GuestFactory>(
        _ description: GuestDescription, _ passed: consuming PassedMemory, _ factory: Factory
    ) throws(MigrationError) -> Factory.Hardware {
        let isLocal = control.withDecision { $0.isLocal }
        let hardware: Factory.Hardware
        do throws(HardwareError) {
            hardware = try factory.configure(
                description, memory: isLocal ? .passed(passed) : .copied)
        } catch {
            throw .hardware(error)
        }
        let restoreTime: UInt64
        do throws(HardwareError) {
            restoreTime = try hardware.rehearseRestore()
        } catch {
            hardware.letGo()
            throw .hardware(error)
        }
        let bytes = hardware.memory.byteCount
        let ranges = Limits.maximumRanges(guestMemory: bytes)
        let extensions = control.withDecision { decision in
            decision.limits = DestinationLimits(ranges: ranges)
            decision.restoreMicroseconds = UInt32(clamping: max(1, restoreTime / 1000))
            return decision.extensions
        }
        let written = GrowingPageSet(layouts: hardware.memory.layouts)
        memoryConnections.open(
            MemoryConnections.Target(
                memory: hardware.memory, written: written, extensions: extensions,
                rangeLimit: ranges))
        control.board.update { $0.bytesTotal = bytes }
        logger.info(
            "machine built", metadata: ["memory": "\(bytes)", "local": "\(isLocal)"])
        hardware.prepareMemory(isLocal ? .shared : .copied(written))
        do throws(MigrationError) {
            try finishStep()
        } catch {
            hardware.letGo()
            throw error
        }
        return hardware
    }

    // MARK: - Memory

    /// Receives memory until the state comes.
    ///
    /// - Returns: the state.
    func receiveMemory(of hardware: some GuestHardware) throws(MigrationError) -> [UInt8] {
        control.board.enter(.memory, at: network.now)
        var receiver = try memoryConnections.makeReceiver()
        while true {
            switch try nextAction() {
            case .receiveMemory(let rangeCount):
                let bytes = try receiver.receiveContents(
                    rangeCount: rangeCount, from: channel.connection, within: limits)
                control.board.update { $0.bytesSent += bytes }
            case .receiveZeroRanges(let rangeCount):
                try receiver.receiveZeros(
                    rangeCount: rangeCount, from: channel.connection, within: limits)
            case .receiveBlocks(let rangeCount, let format):
                let bytes = try receiver.receiveBlocks(
                    rangeCount: rangeCount, format, from: channel.connection, within: limits)
                control.board.update { $0.bytesSent += bytes }
            case .verify(let digestCount):
                try verify(hardware.memory, digestCount: digestCount)
            case .loadState(let byteCount):
                // The source sends it while the guest stands still.
                control.board.enter(.blackout, at: network.now)
                control.board.beginBlackout(at: network.now)
                try memoryConnections.shut()
                let state = try channel.receivePayload(byteCount, within: limits)
                control.board.endPart("receive-state", at: network.now)
                return state
            case let action:
                throw unexpected(action)
            }
            try finishStep()
        }
    }

    // MARK: - Takeover

    /// Tells the source that everything is here.
    func sayReady() throws(MigrationError) {
        control.board.endPart("load-state", at: network.now)
        control.board.enter(.takeover, at: network.now)
        try finishStep()
    }

    /// Waits for the source to let go.
    func awaitTakeover() throws(MigrationError) -> DestinationTakeover {
        guard case .takeOver(let takeover) = try nextAction() else {
            throw .invalidConfiguration("the source sent something else than Takeover")
        }
        control.board.endPart("wait-takeover", at: network.now)
        // From here on this end decides alone: a cancel comes too late.
        let limits = OperationLimits()
        return DestinationTakeover(
            backendState: try channel.receivePayload(
                takeover.backendStateBytes, within: limits),
            staysPaused: takeover.keepPaused)
    }

    /// Called just before the first guest instruction.
    func setRunFlag() {
        runFlag?.set(to: RunFlag.hasRun)
    }

    /// Records that the guest is this end's, then says so. Whether that arrives changes nothing:
    /// a source that does not hear it inquires.
    func sayRunning() {
        do {
            let answer = try decide { (decision) throws(ProtocolError) in
                try decision.commitRunning()
            }
            try channel.send(answer, within: OperationLimits())
        } catch {
            logger.warning("the source could not be told that the guest runs here: \(error)")
        }
    }

    /// Ends the connection after success, which may wait a moment for the source to do the same.
    func close() {
        memoryConnections.end()
        channel.connection.close(.orderly)
    }

    // MARK: - Failure

    /// The epilogue of every migration that does not leave the guest here: records the refusal,
    /// then tells the source as far as it can be reached. Nothing of the guest is held any more.
    func refuse(because error: MigrationError) -> MigrationError {
        let answer = control.withDecision { decision -> Answer? in
            if case .transport = error, decision.connectionLost() == .discard { return nil }
            return decision.fail(error.endReason)
        }
        memoryConnections.end()
        noteRefusal(error)
        control.settle()
        // A cancel or an inquiry has recorded its reason already and left what is to be said.
        if let answer = answer ?? control.takeFarewell() {
            do throws(MigrationError) {
                try channel.send(answer, within: OperationLimits(idleSeconds: 1))
            } catch {
                logger.debug("the source could not be told: \(error)")
            }
        }
        channel.connection.close(.orderly)
        if let reason = control.withDecision({ $0.endReason }), reason.code == .cancelled,
            case .transport = error
        {
            return .endedByPeer(reason)
        }
        switch error {
        case .transport, .endedByPeer: return memoryConnections.failure ?? error
        default: return error
        }
    }

    // MARK: - Parts

    /// Reads the next request and asks the protocol what to do. A request that ends the migration
    /// is answered here and thrown as the peer's reason.
    private func nextAction() throws(MigrationError) -> DestinationAction {
        let request = try channel.receiveRequest(within: limits)
        memoryConnections.activity.note(at: network.now)
        let action: DestinationAction
        do throws(ProtocolError) {
            action = try decide { (decision) throws(ProtocolError) in
                try decision.receive(request)
            }
        } catch {
            throw .invalidMessage(error)
        }
        switch action {
        case .receiveCancellation(let code, let textBytes):
            let bytes = try channel.receivePayload(textBytes, within: limits)
            let text = String(decoding: bytes, as: UTF8.self)
            try answer { (decision) throws(ProtocolError) in
                try decision.cancellationReceived(text: text)
            }
            throw .endedByPeer(EndReason(code, text.isEmpty ? "no reason was given" : text))
        case .refuse(let answer, _):
            try channel.send(answer, within: OperationLimits(idleSeconds: 1))
            throw .cancelled("this destination had refused already")
        default:
            return action
        }
    }

    /// The work of the last request is done.
    private func finishStep() throws(MigrationError) {
        try answer { (decision) throws(ProtocolError) in try decision.finishStep() }
    }

    private func answer(
        _ body: (inout DestinationProtocol) throws(ProtocolError) -> Answer
    ) throws(MigrationError) {
        let answer: Answer
        do throws(ProtocolError) {
            answer = try decide(body)
        } catch {
            if let request = control.cancellation.request { throw .cancelled(request.reason) }
            throw .invalidMessage(error)
        }
        try channel.send(answer, within: limits)
    }

    private func decide<Value>(
        _ body: (inout DestinationProtocol) throws(ProtocolError) -> Value
    ) throws(ProtocolError) -> Value {
        try control.withDecision { decision -> Result<Value, ProtocolError> in
            do throws(ProtocolError) {
                return .success(try body(&decision))
            } catch {
                return .failure(error)
            }
        }.get()
    }

    private func unexpected(_ action: DestinationAction) -> MigrationError {
        .invalidConfiguration("a request came out of order (\(action))")
    }
}
