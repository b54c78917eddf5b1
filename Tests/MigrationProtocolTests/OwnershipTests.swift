import MigrationProtocol
import Testing

/// Who owns the guest when things go wrong around Takeover.
@Suite struct OwnershipTests {
    private static let broken = EndReason(.connectionLost, "The connection broke.")

    private func conversation(
        at phase: SourcePhase, mode: SourceProtocol.Mode = .preCopy,
        offering: Extensions? = .offered
    ) throws -> Conversation {
        var conversation = Conversation(mode: mode, offering: offering)
        try conversation.advance(to: phase)
        return conversation
    }

    /// A source whose Takeover is on the wire.
    private func sentTakeover(
        mode: SourceProtocol.Mode = .preCopy, offering: Extensions? = .offered
    ) throws -> (Conversation, Request) {
        var conversation = try conversation(at: .releasing, mode: mode, offering: offering)
        let message = Conversation.takeover(conversation.source)
        let request = try conversation.source.send(message)
        return (conversation, request)
    }

    @Test func lostAnswerToTakeoverIsADoubtThatRunningEnds() throws {
        var conversation = try conversation(at: .releasing)
        _ = try conversation.answer(to: Conversation.takeover(conversation.source))
        #expect(conversation.source.fail(Self.broken) == .inquire)
        #expect(conversation.destination.connectionLost() == .goOn)
        #expect(conversation.destination.inquiry(Conversation.token) == .answer(.running))
        #expect(try conversation.source.inquiryAnswered(.running) == .end)
    }

    @Test func inquiryBeforeTakeoverIsARefusalForEver() throws {
        var (conversation, request) = try sentTakeover()
        #expect(conversation.source.fail(Self.broken) == .inquire)
        guard
            case .discardAndAnswer(.returned(let reason)) =
                conversation.destination.inquiry(Conversation.token)
        else {
            Issue.record("The destination did not refuse")
            return
        }
        // Takeover arrives late: it is answered with the recorded refusal.
        #expect(
            try conversation.destination.receive(request)
                == .refuse(.returned(reason), payloadBytes: 10))
        #expect(throws: ProtocolError.self) { try conversation.destination.commitRunning() }
        #expect(
            try conversation.source.inquiryAnswered(.returned(reason))
                == .recover(reason, farewell: []))
    }

    @Test func inquiryWhileTakingOverFreesNobody() throws {
        var (conversation, request) = try sentTakeover()
        _ = try conversation.destination.receive(request)
        _ = conversation.source.fail(Self.broken)
        #expect(conversation.destination.inquiry(Conversation.token) == .answer(.unknown))
        #expect(try conversation.source.inquiryAnswered(.unknown) == .inquire)
        #expect(try conversation.destination.commitRunning() == .running)
    }

    @Test func failedTakeoverGivesTheGuestBack() throws {
        var (conversation, request) = try sentTakeover()
        _ = try conversation.destination.receive(request)
        let reason = EndReason(.failed, "tap0 is in use.")
        let failure = conversation.destination.fail(reason)
        let answer = try #require(failure)
        #expect(answer == .returned(reason))
        #expect(try conversation.deliver(answer) == .recover(reason, farewell: []))
    }

    @Test func garbledAnswerToTakeoverIsADoubt() throws {
        var (conversation, _) = try sentTakeover()
        let garbage: [UInt8] = [0xFF]
        #expect(
            conversation.source.answered(Response(.returned, length: 1), text: garbage.span)
                == .inquire)
        #expect(conversation.source.phase == .inDoubt)
    }

    @Test func runningStaysRunningWhateverHappens() throws {
        var destination = try conversation(at: .gone).destination
        #expect(destination.fail(Self.broken) == nil)
        #expect(destination.connectionLost() == .goOn)
        #expect(throws: ProtocolError.pastPointOfNoReturn) { try destination.cancel("enough") }
        for command in Command.allCases {
            #expect(throws: ProtocolError.self) { try destination.receive(Request(command)) }
        }
        #expect(destination.phase == .running)
        #expect(destination.inquiry(Conversation.token) == .answer(.running))
        #expect(destination.ledger.answer(to: Conversation.token) == .running)
    }

    @Test func decisionsOutliveTheMigration() throws {
        var first = try conversation(at: .releasing)
        _ = first.destination.connectionLost()
        var second = DestinationProtocol(ledger: first.destination.ledger)
        guard case .answer(.returned) = second.inquiry(Conversation.token) else {
            Issue.record("The refusal was forgotten")
            return
        }
        // The same token cannot open a second session.
        _ = try second.receive(StartOffer(extensions: .offered).request)
        _ = try second.receive(Request(.session, length: 16))
        #expect(throws: ProtocolError.tokenReused) {
            try second.tokenReceived(Conversation.token)
        }
    }

    @Test func unknownTokenIsAnsweredUnknown() throws {
        var conversation = try conversation(at: .releasing)
        let stranger = SessionToken.random()
        #expect(conversation.destination.inquiry(stranger) == .answer(.unknown))
        #expect(conversation.destination.phase == .prepared)
    }

    @Test func fullLedgerForgetsTheOldest() throws {
        var ledger = OwnershipLedger()
        var tokens: [SessionToken] = []
        for _ in 0...OwnershipLedger.capacity {
            let token = SessionToken.random()
            tokens.append(token)
            var destination = DestinationProtocol(ledger: ledger)
            _ = try destination.receive(StartOffer(extensions: .offered).request)
            _ = try destination.receive(Request(.session, length: 16))
            _ = try destination.tokenReceived(token)
            _ = destination.connectionLost()
            ledger = destination.ledger
        }
        #expect(ledger.answer(to: tokens[0]) == .unknown)
        #expect(ledger.contains(tokens[1]))
        #expect(ledger.contains(tokens[OwnershipLedger.capacity]))
    }

    @Test func cancelTooLateIsRefused() throws {
        var (conversation, request) = try sentTakeover()
        #expect(throws: ProtocolError.pastPointOfNoReturn) {
            try conversation.source.cancel("enough")
        }
        _ = try conversation.destination.receive(request)
        #expect(throws: ProtocolError.pastPointOfNoReturn) {
            try conversation.destination.cancel("enough")
        }
    }

    @Test func cancelByEitherEndCarriesItsReason() throws {
        var conversation = try conversation(at: .preCopy)
        guard case .recover(_, let farewell) = try conversation.source.cancel("enough") else {
            Issue.record("The source did not recover")
            return
        }
        let request = try Request(decoding: Array(farewell.prefix(16)).span)
        #expect(
            try conversation.destination.receive(request)
                == .receiveCancellation(.cancelled, textBytes: 6))
        _ = try conversation.destination.cancellationReceived(text: "enough")
        #expect(conversation.destination.endReason == EndReason(.cancelled, "enough"))

        var other = try self.conversation(at: .preCopy)
        let refusal = try other.destination.cancel("host is full")
        let answer = try #require(refusal)
        #expect(
            try other.deliver(answer)
                == .recover(EndReason(.cancelled, "host is full"), farewell: []))
    }

    @Test func nothingIsSentIntoAnUnfinishedRequest() throws {
        var conversation = try conversation(at: .preCopy)
        _ = try conversation.source.send(.memory(rangeCount: 1))
        let action = try conversation.source.cancel("enough")
        #expect(action == .recover(EndReason(.cancelled, "enough"), farewell: []))
    }

    @Test func baseProtocolHasNoPlaceForBackendState() throws {
        var source = try conversation(at: .releasing, offering: nil).source
        let takeover = Takeover(backendStateBytes: 1, keepPaused: false)
        #expect(throws: ProtocolError.notNegotiated(.takeover)) {
            try source.send(.takeover(takeover))
        }
        #expect(source.phase == .releasing)
    }

    @Test func baseErrorAfterCompleteIsADoubtForAPerson() throws {
        var (conversation, _) = try sentTakeover(offering: nil)
        #expect(try conversation.deliver(.error("", extensions: [])) == .awaitOperator)
        #expect(throws: ProtocolError.self) {
            try conversation.source.inquiryAnswered(.returned(Self.broken))
        }
        #expect(try conversation.source.resolve(.giveUp) == .end)
    }
}

/// A local migration, where both ends share the pages.
@Suite struct RunFlagTests {
    private func sentTakeover() throws -> SourceProtocol {
        var conversation = Conversation(mode: .local)
        try conversation.advance(to: .releasing)
        _ = try conversation.source.send(Conversation.takeover(conversation.source))
        return conversation.source
    }

    @Test func deadDestinationWithAClearFlagGivesTheGuestBack() throws {
        var source = try sentTakeover()
        guard case .recover = source.destinationDied() else {
            Issue.record("The source did not recover")
            return
        }
    }

    @Test func setFlagForbidsEveryWayBack() throws {
        var source = try sentTakeover()
        source.runFlagIsSet()
        var liar = source
        guard case .guestLost = source.destinationDied() else {
            Issue.record("The source took a stale guest back")
            return
        }
        // Not even the word of the destination, or a person's, makes stale state good.
        _ = liar.fail(EndReason(.connectionLost, "The connection broke."))
        #expect(throws: ProtocolError.guestHasRun) { try liar.resolve(.takeBack) }
        guard case .guestLost = try liar.inquiryAnswered(.returned(EndReason(.failed, ""))) else {
            Issue.record("The source believed a contradiction")
            return
        }
    }

    @Test func flagSetBeforeTakeoverIsIgnored() throws {
        var conversation = Conversation(mode: .local)
        try conversation.advance(to: .releasing)
        conversation.source.runFlagIsSet()
        guard case .recover = conversation.source.destinationDied() else {
            Issue.record("The source still owns the guest")
            return
        }
    }

    @Test func remoteDestinationCannotBeKnownDead() throws {
        var conversation = Conversation()
        try conversation.advance(to: .releasing)
        _ = try conversation.source.send(Conversation.takeover(conversation.source))
        #expect(conversation.source.destinationDied() == .inquire)
    }
}
