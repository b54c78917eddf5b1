import MigrationProtocol

/// Both machines, coupled by frames that are encoded and decoded on the way.
struct Conversation {
    var source: SourceProtocol
    var destination: DestinationProtocol
    /// The last thing the destination was asked to do.
    private(set) var destinationAction: DestinationAction?

    static let token: SessionToken = {
        var generator = CountingGenerator()
        return SessionToken(using: &generator)
    }()

    /// Blocks of 8 KiB with checksums.
    static let format: MemoryBlockFormat = {
        guard let format = MemoryBlockFormat(blockBytes: 8192, hasChecksums: true) else {
            preconditionFailure("8 KiB is a size of blocks")
        }
        return format
    }()

    init(
        mode: SourceProtocol.Mode = .preCopy, offering: Extensions? = .offered,
        supported: Extensions = .offered
    ) {
        source = SourceProtocol(mode: mode, token: Self.token, offering: offering)
        destination = DestinationProtocol(supported: supported)
    }

    /// Sends a message, lets the destination do its work and returns what the source makes of the
    /// answer.
    @discardableResult
    mutating func exchange(_ message: SourceMessage) throws -> SourceAction {
        try deliver(answer(to: message))
    }

    /// The destination's answer to a message, its work done.
    mutating func answer(to message: SourceMessage) throws -> Answer {
        let request = try Request(decoding: source.send(message).encoded.span)
        let action = try destination.receive(request)
        destinationAction = action
        return switch action {
        case .send(let answer), .refuse(let answer, _): answer
        case .receiveToken: try destination.tokenReceived(source.token)
        case .takeOver: try destination.commitRunning()
        case .receiveCancellation: try destination.cancellationReceived(text: "")
        case .receiveMemoryDescriptor, .receiveRunFlag, .receiveConfig, .receiveMemory,
            .receiveZeroRanges, .receiveBlocks, .verify, .loadState:
            try destination.finishStep()
        }
    }

    /// Brings an answer to the source.
    @discardableResult
    mutating func deliver(_ answer: Answer) throws -> SourceAction {
        let bytes = answer.encoded
        let response = try Response(decoding: Array(bytes.prefix(16)).span)
        let count = try source.textByteCount(of: response)
        return source.answered(response, text: Array(bytes.dropFirst(16).prefix(count)).span)
    }

    /// Goes on with an orderly migration until the source stands at `phase`.
    mutating func advance(to phase: SourcePhase) throws {
        while source.phase != phase {
            switch source.phase {
            case .negotiating: try exchange(.start)
            case .configuring: try configure()
            case .preCopy: try source.guestPaused()
            case .finalRound: try exchange(.state(byteCount: 100))
            case .releasing: try exchange(Self.takeover(source))
            case .awaitReady, .pointOfNoReturn, .inDoubt, .gone, .recovered, .lost: return
            }
        }
    }

    private mutating func configure() throws {
        let hasOwnership = source.extensions.contains(.ownership)
        if hasOwnership { try exchange(.session) }
        if source.mode == .local {
            try exchange(.memoryDescriptor)
            if hasOwnership { try exchange(.runFlag) }
        }
        try exchange(.config(byteCount: 100))
    }

    /// The takeover that the agreed extensions allow.
    static func takeover(_ source: SourceProtocol, keepPaused: Bool = false) -> SourceMessage {
        let hasOwnership = source.extensions.contains(.ownership)
        return .takeover(
            Takeover(backendStateBytes: hasOwnership ? 10 : 0, keepPaused: keepPaused))
    }
}

/// A generator whose numbers are known to the tests.
struct CountingGenerator: RandomNumberGenerator {
    private var byte: UInt64 = 0

    mutating func next() -> UInt64 {
        var value: UInt64 = 0
        for shift in 0..<8 {
            value |= byte << (8 * UInt64(shift))
            byte += 1
        }
        return value
    }
}

/// Numbers that look random and are the same for the same seed (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
