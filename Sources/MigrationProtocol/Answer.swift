/// A whole answer as one end sends it: the 16 bytes and the text after them, if any.
public struct Answer: Equatable, Sendable {
    /// The header; its length is that of `text` in UTF-8.
    public let response: Response
    /// The error text or reason; empty where none may be sent.
    public let text: String

    private init(_ status: ResponseStatus, fields: HeaderFields = HeaderFields(), text: String = "")
    {
        self.text = Text.shortened(text)
        response = Response(status, length: UInt64(self.text.utf8.count), fields: fields)
    }

    /// The request was carried out.
    public static let ok = Answer(.ok)
    /// The machine is built.
    ///
    /// - Parameter restoreMicroseconds: how long restoring the guest's state will take here, as far
    ///   as is known, 0 where it is not; bytes 4...7, ignored by a base-protocol source.
    static func configured(in restoreMicroseconds: UInt32) -> Answer {
        Answer(
            .ok,
            fields: HeaderFields(
                second: UInt16(truncatingIfNeeded: restoreMicroseconds),
                third: UInt16(truncatingIfNeeded: restoreMicroseconds >> 16)))
    }

    /// The guest is the answerer's for ever.
    public static let running = Answer(.running)
    /// The answerer cannot say, yet or any more.
    public static let unknown = Answer(.unknown)

    /// The request failed.
    ///
    /// - Parameter text: Sent only where the extension error text was agreed on.
    public static func error(_ text: String, extensions: Extensions) -> Answer {
        Answer(.error, text: extensions.contains(.errorText) ? text : "")
    }

    /// No guest instruction ran here and none will in this session.
    public static func returned(_ reason: EndReason) -> Answer {
        Answer(.returned, fields: reason.fields, text: reason.text)
    }

    /// The answer to Start, with the fields that `StartAnswer` lays out.
    static func start(_ status: ResponseStatus, fields: HeaderFields, text: String = "") -> Answer {
        Answer(status, fields: fields, text: text)
    }

    /// All bytes to send.
    public var encoded: [UInt8] { response.encoded + Array(text.utf8) }
}
