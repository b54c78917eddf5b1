import MigrationProtocol
import Testing

@Suite struct StartNegotiationTests {
    private let martlet = StartOffer(extensions: .offered)

    @Test func offerSurvivesTheWire() throws {
        #expect(try StartOffer(decoding: martlet.request) == martlet)
        let base = StartOffer(extensions: nil)
        #expect(try StartOffer(decoding: base.request) == base)
    }

    @Test func fieldsWithoutTheMagicAreIgnored() throws {
        let request = Request(
            .start, fields: HeaderFields(first: 0, second: 0xFFFF, third: 0x1234))
        #expect(try StartOffer(decoding: request).extensions == nil)
    }

    @Test func anotherVersionIsRefused() {
        let request = Request(.start, fields: HeaderFields(first: 1))
        #expect(throws: FrameError.invalidField(name: "protocol version", value: 1)) {
            try StartOffer(decoding: request)
        }
    }

    @Test func destinationAcceptsWhatBothHave() throws {
        var destination = DestinationProtocol(supported: [.zeroRanges, .ownership])
        let offer = StartOffer(extensions: [.zeroRanges, .compression])
        guard case .send(let answer) = try destination.receive(offer.request) else {
            Issue.record("Start was not answered")
            return
        }
        #expect(destination.extensions == .zeroRanges)
        #expect(
            try StartAnswer(decoding: answer.response, to: offer) == .agreed(.zeroRanges))
    }

    @Test func answerWithoutTheMagicIsTheBaseProtocol() throws {
        // A base-protocol destination may leave anything in these bytes.
        let response = Response(.ok, fields: HeaderFields(second: 0xFFFF))
        #expect(try StartAnswer(decoding: response, to: martlet) == .agreed([]))
    }

    @Test func magicInTheAnswerToABaseOfferMeansNothing() throws {
        let response = Response(.ok, fields: HeaderFields(first: 0x4D4C, second: 1))
        let base = StartOffer(extensions: nil)
        #expect(try StartAnswer(decoding: response, to: base) == .agreed([]))
    }

    @Test func extensionsThatWereNotOfferedAreRefused() {
        let response = Response(.ok, fields: HeaderFields(first: 0x4D4C, second: 1 << 6))
        #expect(throws: FrameError.self) { try StartAnswer(decoding: response, to: martlet) }
    }

    @Test func errorOfABasePeerIsTriedOnceWithoutExtensions() throws {
        var source = SourceProtocol(mode: .preCopy, token: Conversation.token)
        _ = try source.send(.start)
        let none: [UInt8] = []
        #expect(
            source.answered(Response(.error), text: none.span) == .reconnectWithoutExtensions)
        #expect(try source.send(.start) == Request(.start))
        guard case .recover = source.answered(Response(.error), text: none.span) else {
            Issue.record("The second Error is final")
            return
        }
        #expect(source.phase == .recovered)
    }

    @Test func errorOfAMartletIsFinalAndHasText() throws {
        var source = SourceProtocol(mode: .preCopy, token: Conversation.token)
        let request = try source.send(.start)
        let answer = DestinationProtocol.refusal(of: request, because: "A guest runs here.")
        let count = try source.textByteCount(of: answer.response)
        #expect(count == answer.text.utf8.count)
        let text = Array(answer.text.utf8)
        #expect(
            source.answered(answer.response, text: text.span)
                == .recover(EndReason(.failed, "A guest runs here."), farewell: []))
    }
}
