import MigrationProtocol
import Testing

/// Requests whose command fits the state and whose numbers do not.
@Suite struct HostilePeerTests {
    private func destination(at phase: SourcePhase) throws -> DestinationProtocol {
        var conversation = Conversation()
        try conversation.advance(to: phase)
        return conversation.destination
    }

    private func expectRefusal(
        of requests: [Request], by destination: DestinationProtocol,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        for request in requests {
            var changed = destination
            #expect(throws: ProtocolError.self, sourceLocation: sourceLocation) {
                try changed.receive(request)
            }
            #expect(changed.phase == destination.phase, sourceLocation: sourceLocation)
            #expect(
                changed.fail(EndReason(.failed, "refused"))?.response.status == .error,
                sourceLocation: sourceLocation)
        }
    }

    @Test func payloadLengthsBeforeConfigAreExact() throws {
        expectRefusal(
            of: [Request(.start, length: 1)], by: DestinationProtocol())
        let commands: [Command] = [.session, .memoryDescriptor, .runFlag, .abandon]
        expectRefusal(
            of: commands.map { Request($0, length: 3) }
                + [Request(.cancel, length: UInt64(Limits.maximumTextBytes) + 1)],
            by: try destination(at: .configuring))
    }

    /// Number 21 in docs/comparison.md: lengths are trusted there.
    @Test func payloadsAreBounded() throws {
        var conversation = Conversation()
        try conversation.advance(to: .configuring)
        try conversation.exchange(.session)
        expectRefusal(
            of: [UInt64(Limits.maximumConfigBytes) + 1, .max].map { Request(.config, length: $0) },
            by: conversation.destination)
        expectRefusal(
            of: [UInt64(Limits.defaultStateBytes) + 1, .max].map { Request(.state, length: $0) }
                + [8, 16 * (UInt64(Limits.maximumRanges) + 1), .max - 15].flatMap {
                    [
                        Request(.memory, length: $0), Request(.zeroRanges, length: $0),
                        Request(.memoryBlocks, length: $0, fields: HeaderFields(third: 17)),
                    ]
                },
            by: try destination(at: .preCopy))
        expectRefusal(
            of: [4, 8 * (UInt64(Limits.maximumRanges) + 1), .max - 7].map {
                Request(.verify, length: $0)
            }, by: try destination(at: .preCopy))
        expectRefusal(
            of: [
                Request(.takeover, length: UInt64(Limits.defaultStateBytes) + 1),
                Request(.takeover, fields: HeaderFields(first: 2)),
            ], by: try destination(at: .releasing))
        var base = Conversation(offering: nil)
        try base.advance(to: .releasing)
        expectRefusal(
            of: [Request(.complete, length: 1), Request(.completePaused, length: 1)],
            by: base.destination)
    }

    @Test func limitsCannotBeRaisedAboveTheHardOnes() {
        let limits = DestinationLimits(ranges: .max, stateBytes: .max)
        #expect(limits.ranges == Limits.maximumRanges)
        #expect(limits.stateBytes == Limits.maximumStateBytes)
        #expect(DestinationLimits(ranges: -1, stateBytes: -1).stateBytes == 0)
    }

    @Test func memoryDescriptorsAreCounted() throws {
        var conversation = Conversation(mode: .local)
        try conversation.exchange(.start)
        try conversation.exchange(.session)
        for _ in 0..<Limits.maximumMemoryDescriptors {
            _ = try conversation.destination.receive(Request(.memoryDescriptor, length: 4))
            _ = try conversation.destination.finishStep()
        }
        #expect(throws: ProtocolError.self) {
            try conversation.destination.receive(Request(.memoryDescriptor, length: 4))
        }
    }

    @Test func requestBeforeTheLastAnswerIsRefused() throws {
        var destination = try destination(at: .preCopy)
        _ = try destination.receive(Request(.memory, length: 16))
        #expect(throws: ProtocolError.answerPending(.memory)) {
            try destination.receive(Request(.memory, length: 16))
        }
    }

    @Test func answersThatNobodyAskedForEndTheMigration() throws {
        var conversation = Conversation()
        try conversation.advance(to: .preCopy)
        guard case .recover = try conversation.deliver(.ok) else {
            Issue.record("An unasked Ok was believed")
            return
        }
    }

    @Test func textOfAnAnswerIsBounded() throws {
        var conversation = Conversation()
        try conversation.advance(to: .preCopy)
        _ = try conversation.source.send(.memory(rangeCount: 1))
        for status in [ResponseStatus.error, .returned] {
            #expect(throws: ProtocolError.self) {
                try conversation.source.textByteCount(of: Response(status, length: 4097))
            }
        }
        #expect(try conversation.source.textByteCount(of: Response(.ok, length: 99)) == 0)
    }

    @Test func onlyReturnedCarriesAReasonsCode() throws {
        var conversation = Conversation()
        try conversation.advance(to: .preCopy)
        _ = try conversation.source.send(.memory(rangeCount: 1))
        let text = Array("broken".utf8)
        let response = Response(.error, length: 6, fields: HeaderFields(first: 2))
        #expect(
            conversation.source.answered(response, text: text.span)
                == .recover(EndReason(.failed, "broken"), farewell: []))
    }

    @Test func sourceSendsNothingAboveTheLimits() throws {
        var conversation = Conversation()
        try conversation.advance(to: .preCopy)
        for count in [-1, Limits.maximumRanges + 1, .max] {
            #expect(throws: ProtocolError.self) {
                try conversation.source.send(.memory(rangeCount: count))
            }
        }
        try conversation.source.guestPaused()
        #expect(throws: ProtocolError.self) {
            try conversation.source.send(.state(byteCount: Limits.maximumStateBytes + 1))
        }
    }

    /// Any order of any commands: the machine stays within its states and never runs the guest
    /// without a takeover that it accepted.
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func randomRequestsNeverTrap(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            var destination = DestinationProtocol()
            var mayRun = false
            for _ in 0..<30 {
                let command = Command.allCases.randomElement(using: &generator) ?? .start
                let length =
                    [0, 4, 16, 10, .max, UInt64.random(in: 0...64, using: &generator)]
                    .randomElement(using: &generator) ?? 0
                let fields = HeaderFields(
                    first: 0, second: .random(in: 0...2047, using: &generator), third: 0x4D4C)
                let request = Request(
                    command, length: length, fields: command == .start ? fields : HeaderFields())
                switch try? destination.receive(request) {
                case .receiveToken:
                    _ = try? destination.tokenReceived(SessionToken(using: &generator))
                case .receiveCancellation: _ = try? destination.cancellationReceived(text: "")
                case .takeOver: mayRun = true
                case .send, .refuse, nil: break
                default: _ = try? destination.finishStep()
                }
            }
            let answer = try? destination.commitRunning()
            #expect((answer != nil) == (mayRun && destination.phase == .running))
        }
    }
}
