import MigrationProtocol
import Testing

/// The bytes of every frame against the files in `Vectors`, which other implementations may use.
@Suite struct GoldenBytesTests {
    /// The bytes in the file `name`.
    static func vector(_ name: String) throws -> [UInt8] {
        let path = "Tests/MigrationProtocolTests/Vectors/\(name).hex"
        return try ProjectFile.table(path).joined().map { word in
            try #require(UInt8(word, radix: 16), "\(name): \(word)")
        }
    }

    static let table: [UInt8] = {
        var table = MemoryRangeTable()
        table.append(MemoryRange(address: 1 << 20, length: 8192))
        table.append(MemoryRange(address: 1 << 32, length: 4096))
        return table.bytes
    }()

    /// The blocks of the table's 12 KiB.
    static let blocks: [UInt8] = {
        var bytes: [UInt8] = []
        MemoryBlock(storedLength: 256, coding: .zstd, checksum: 0x0123_4567_89AB_CDEF)
            .append(to: &bytes)
        MemoryBlock(storedLength: 4096, coding: .plain, checksum: 0xFEDC_BA98_7654_3210)
            .append(to: &bytes)
        return bytes
    }()

    static let digests: [UInt8] = {
        var bytes: [UInt8] = []
        MemoryDigest.append(0x0123_4567_89AB_CDEF, to: &bytes)
        MemoryDigest.append(0, to: &bytes)
        return bytes
    }()

    /// A source that stands at `phase`, both ends being Martlets.
    private static func source(
        at phase: SourcePhase, mode: SourceProtocol.Mode = .preCopy,
        offering: Extensions? = .offered
    ) throws -> SourceProtocol {
        var conversation = Conversation(mode: mode, offering: offering)
        try conversation.advance(to: phase)
        return conversation.source
    }

    private static func header(
        _ message: SourceMessage, _ phase: SourcePhase, offering: Extensions? = .offered
    ) throws -> [UInt8] {
        var source = try source(at: phase, offering: offering)
        return try source.send(message).encoded
    }

    /// What the machines and codecs make for each file about a request.
    private static func requests() throws -> [String: [UInt8]] {
        var canceller = try source(at: .preCopy)
        guard case .recover(_, let cancel) = try canceller.cancel("enough") else { return [:] }
        var abandoner = try source(at: .preCopy, offering: nil)
        guard case .recover(_, let abandon) = try abandoner.cancel("enough") else { return [:] }
        var local = Conversation(mode: .local)
        try local.exchange(.start)
        try local.exchange(.session)
        var (descriptor, flag) = (local.source, local.source)
        let paused = Takeover(backendStateBytes: 0, keepPaused: true)
        let running = Takeover(backendStateBytes: 10, keepPaused: false)
        let base = Takeover(backendStateBytes: 0, keepPaused: false)
        return [
            "request-start-base": try header(.start, .negotiating, offering: nil),
            "request-start-martlet": try header(.start, .negotiating),
            "request-config": try header(.config(byteCount: 0x1234), .configuring, offering: nil),
            "request-state": try header(.state(byteCount: 1 << 24), .finalRound),
            "request-memory": try header(.memory(rangeCount: 2), .preCopy) + table,
            "request-zero-ranges": try header(.zeroRanges(rangeCount: 2), .preCopy) + table,
            "request-memory-blocks": try header(
                .memoryBlocks(rangeCount: 2, Conversation.format), .preCopy) + table + blocks,
            "request-verify": try header(.verify(digestCount: 2), .finalRound) + digests,
            "request-complete": try header(.takeover(base), .releasing, offering: nil),
            "request-complete-paused": try header(.takeover(paused), .releasing, offering: nil),
            "request-abandon": abandon,
            "request-cancel": cancel,
            "request-session": try header(.session, .configuring) + Conversation.token.encoded,
            "request-memory-descriptor": try descriptor.send(.memoryDescriptor).encoded
                + DescriptorPayload.encode(slot: 3),
            "request-run-flag": try flag.send(.runFlag).encoded + RunFlag.encoded,
            "request-takeover": try header(.takeover(running), .releasing),
            "request-takeover-paused": try header(.takeover(paused), .releasing),
        ]
    }

    @Test func requestsHaveTheirGoldenBytes() throws {
        let requests = try Self.requests()
        for (name, bytes) in requests { #expect(bytes == (try Self.vector(name)), "\(name)") }
        // Post-copy is reserved: nothing sends PageFault yet, but it decodes.
        let names = requests.keys + ["request-page-fault"]
        let commands = try names.map { name in
            try Request(decoding: Array(Self.vector(name).prefix(16)).span).command
        }
        #expect(Set(commands) == Set(Command.allCases))
    }

    @Test func requestsDecodeToWhatWasEncoded() throws {
        for name in try Self.requests().keys {
            let bytes = Array(try Self.vector(name).prefix(16))
            #expect(try Request(decoding: bytes.span).encoded == bytes, "\(name)")
        }
    }

    @Test func answersHaveTheirGoldenBytes() throws {
        var destination = DestinationProtocol(supported: [.errorText, .ownership])
        let start = StartOffer(extensions: .offered).request
        guard case .send(let accepted) = try destination.receive(start) else {
            Issue.record("Start was not answered")
            return
        }
        let answers: [String: Answer] = [
            "response-ok": .ok, "response-running": .running, "response-unknown": .unknown,
            "response-error": .error("disk0 is locked", extensions: []),
            "response-error-text": .error("disk0 is locked", extensions: .errorText),
            "response-returned": .returned(EndReason(.failed, "tap0 is in use.")),
            "response-start-martlet": accepted,
            "response-start-refused": DestinationProtocol.refusal(of: start, because: "busy"),
        ]
        for (name, answer) in answers {
            let bytes = try Self.vector(name)
            #expect(answer.encoded == bytes, "\(name)")
            let response = try Response(decoding: Array(bytes.prefix(16)).span)
            #expect(response == answer.response, "\(name)")
        }
    }

    @Test func rolesAndInquiriesHaveTheirGoldenBytes() throws {
        #expect(ConnectionRole.memory.encoded == (try Self.vector("role-memory")))
        #expect(ConnectionRole.fault.encoded == (try Self.vector("role-fault")))
        var bound = SourceMemoryProtocol(extensions: .offered)
        #expect(
            bound.introduce(token: Conversation.token) == (try Self.vector("role-bound-memory")))
        #expect(Inquiry(token: Conversation.token).encoded == (try Self.vector("inquiry")))
        for role in ConnectionRole.allCases {
            #expect(try ConnectionRole(decoding: role.encoded.span) == role)
        }
        let token = try SessionToken(decoding: Conversation.token.encoded.span)
        #expect(token == Conversation.token)
    }
}
