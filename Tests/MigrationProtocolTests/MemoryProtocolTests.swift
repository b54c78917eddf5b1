import Testing

@testable import MigrationProtocol

/// The rules of one memory connection, at both ends.
@Suite struct MemoryProtocolTests {
    private let noText: [UInt8] = []

    @Test func requestsWaitForAnswersOnceEnoughAreOnTheirWay() throws {
        var source = SourceMemoryProtocol(extensions: .offered)
        for _ in 0..<Limits.requestsInFlight { _ = try source.send(.memory, rangeCount: 1) }

        #expect(source.isFull)
        #expect(throws: ProtocolError.answerPending(.memory)) {
            try source.send(.memory, rangeCount: 1)
        }
        #expect(try source.answered(Response(.ok), text: noText.span) == nil)
        #expect(try source.send(.zeroRanges, rangeCount: 2).length == 32)
    }

    @Test func withoutPipeliningOneRequestIsOnItsWay() throws {
        var source = SourceMemoryProtocol(extensions: [])
        #expect(source.introduce(token: Conversation.token) == [1, 0])
        #expect(source.unansweredCount == 0)

        _ = try source.send(.memory, rangeCount: 1)

        #expect(source.isFull)
    }

    @Test func extensionsAndCommandsAreChecked() {
        var source = SourceMemoryProtocol(extensions: [])
        #expect(throws: ProtocolError.notNegotiated(.zeroRanges)) {
            try source.send(.zeroRanges, rangeCount: 1)
        }
        #expect(throws: ProtocolError.unexpectedCommand(.state, state: "memory connection")) {
            try source.send(.state, rangeCount: 1)
        }
        let destination = DestinationMemoryProtocol(extensions: [], rangeLimit: 10)
        #expect(throws: ProtocolError.notNegotiated(.zeroRanges)) {
            try destination.receive(Request(.zeroRanges, length: 16))
        }
        #expect(throws: ProtocolError.unexpectedCommand(.state, state: "memory connection")) {
            try destination.receive(Request(.state, length: 16))
        }
        #expect(throws: ProtocolError.self) {
            try destination.receive(Request(.memory, length: 16 * 11))
        }
        #expect(throws: ProtocolError.self) {
            try destination.receive(Request(.memory, length: 15))
        }
    }

    @Test func answersBringReasonsAndComeOnlyWhenAsked() throws {
        var source = SourceMemoryProtocol(extensions: .offered)
        #expect(throws: ProtocolError.self) {
            try source.answered(Response(.ok), text: noText.span)
        }
        _ = try source.send(.memory, rangeCount: 1)
        let answer = Answer.error("no such memory", extensions: .errorText)
        let text = Array(answer.text.utf8)

        #expect(try source.textByteCount(of: answer.response) == text.count)
        let reason = try source.answered(answer.response, text: text.span)
        #expect(reason == EndReason(.failed, "no such memory"))
    }

    @Test(arguments: [Extensions.offered, []])
    func onlyTheConfiguredMigrationsConnectionsAreLetIn(extensions: Extensions) throws {
        var destination = DestinationProtocol()
        let token: SessionToken? = extensions.isEmpty ? nil : Conversation.token
        var generator = SystemRandomNumberGenerator()
        let other = SessionToken(using: &generator)
        #expect(!destination.admitsMemoryConnection(showing: token))
        _ = try destination.receive(
            StartOffer(extensions: extensions.isEmpty ? nil : extensions).request)
        if let token {
            _ = try destination.receive(Request(.session, length: 16))
            _ = try destination.tokenReceived(token)
        }
        #expect(!destination.admitsMemoryConnection(showing: token))
        _ = try destination.receive(Request(.config, length: 2))
        _ = try destination.finishStep()

        #expect(destination.admitsMemoryConnection(showing: token))
        #expect(!destination.admitsMemoryConnection(showing: other))
        #expect(destination.admitsMemoryConnection(showing: nil) == (token == nil))

        _ = try destination.receive(Request(.state, length: 1))
        #expect(!destination.admitsMemoryConnection(showing: token))
    }
}
