import MigrationProtocol
import Testing

/// Frames from a peer that is broken or hostile.
@Suite struct FrameTests {
    @Test(arguments: [0, 1, 15, 17, 4096])
    func framesOfAnotherSizeAreRefused(count: Int) {
        let bytes = [UInt8](repeating: 1, count: count)
        #expect(throws: FrameError.self) { try Request(decoding: bytes.span) }
        #expect(throws: FrameError.self) { try Response(decoding: bytes.span) }
        #expect(throws: FrameError.self) { try SessionToken(decoding: bytes.span) }
        #expect(throws: FrameError.self) { try ConnectionRole(decoding: bytes.span) }
        #expect(throws: FrameError.self) { try DescriptorPayload.decodeSlot(bytes.span) }
    }

    @Test func everyCommandCodeIsKnownOrRefused() {
        let known = Set(Command.allCases.map(\.rawValue))
        for code in UInt16.min...UInt16.max {
            var bytes = [UInt8](repeating: 0, count: 16)
            bytes[0] = UInt8(code & 0xFF)
            bytes[1] = UInt8(code >> 8)
            let request = try? Request(decoding: bytes.span)
            #expect((request != nil) == known.contains(code))
        }
    }

    @Test(arguments: [0, 3, 0x4CFF, 0x4D03, 0xFFFF] as [UInt16])
    func unknownStatusAndRoleAreRefused(code: UInt16) {
        var bytes = [UInt8](repeating: 0, count: 16)
        bytes[0] = UInt8(code & 0xFF)
        bytes[1] = UInt8(code >> 8)
        #expect(throws: FrameError.unknownStatus(code)) { try Response(decoding: bytes.span) }
        #expect(throws: FrameError.unknownRole(code)) {
            try ConnectionRole(decoding: Array(bytes.prefix(2)).span)
        }
    }

    @Test func textsAreValidatedAndBounded() {
        let fields = HeaderFields(first: 1)
        let tooLong = [UInt8](repeating: 0x61, count: Limits.maximumTextBytes + 1)
        #expect(throws: FrameError.self) { try EndReason(fields: fields, text: tooLong.span) }
        let invalid: [UInt8] = [0xFF, 0xFE]
        #expect(throws: FrameError.invalidText) {
            try EndReason(fields: fields, text: invalid.span)
        }
        let longest = Array(tooLong.dropLast())
        #expect(throws: Never.self) { try EndReason(fields: fields, text: longest.span) }
    }

    @Test func longTextsAreShortenedBetweenCharacters() {
        // Three bytes each, and the limit is no multiple of three.
        let reason = EndReason(.failed, String(repeating: "€", count: 3000))
        #expect(reason.text.utf8.count == Limits.maximumTextBytes / 3 * 3)
        #expect(reason.text.allSatisfy { $0 == "€" })
        #expect(Answer.returned(reason).encoded.count == 16 + reason.text.utf8.count)
    }

    @Test func reasonOfANewerPeerIsAFailure() throws {
        let text = Array("whatever".utf8)
        let reason = try EndReason(fields: HeaderFields(first: 99), text: text.span)
        #expect(reason == EndReason(.failed, "whatever"))
    }

    @Test func runFlagOfANewerLayoutIsRefused() {
        #expect(throws: FrameError.self) {
            try RunFlag.validate(DescriptorPayload.encode(slot: 2).span)
        }
        #expect(throws: Never.self) { try RunFlag.validate(RunFlag.encoded.span) }
    }

    @Test func inquiryAnswersSurviveTheWire() throws {
        let answers: [InquiryAnswer] = [
            .running, .unknown, .returned(EndReason(.cancelled, "enough")),
        ]
        for answer in answers {
            let bytes = answer.answer.encoded
            let response = try Response(decoding: Array(bytes.prefix(16)).span)
            let count = try InquiryAnswer.textByteCount(of: response)
            #expect(count == bytes.count - 16)
            let text = Array(bytes.dropFirst(16))
            #expect(try InquiryAnswer(decoding: response, text: text.span) == answer)
        }
        #expect(throws: FrameError.self) {
            try InquiryAnswer(decoding: Response(.ok), text: [UInt8]().span)
        }
        #expect(throws: FrameError.self) {
            try InquiryAnswer.textByteCount(of: Response(.returned, length: 4097))
        }
    }
}
