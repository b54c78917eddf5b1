/// Why a migration ended with the guest still at the source.
///
/// On the wire it is a code in bytes 2...3 of the header and a UTF-8 text as payload.
public struct EndReason: Equatable, Sendable {
    /// The kind of end, for programs.
    public enum Code: UInt16, CaseIterable, Sendable {
        /// A step failed at either end.
        case failed = 1
        /// Somebody called it off.
        case cancelled = 2
        /// The connection broke or the peer fell silent.
        case connectionLost = 3
    }

    /// The kind of end.
    public var code: Code
    /// One sentence for people, at most `Limits.maximumTextBytes` of UTF-8.
    public var text: String

    /// A reason; `text` is shortened at the limit.
    public init(_ code: Code, _ text: String) {
        self.code = code
        self.text = Text.shortened(text)
    }

    /// Decodes the code of a header and the bytes of the text.
    ///
    /// A code of a newer peer is taken for `failed`; its text says the rest.
    public init(fields: HeaderFields, text bytes: Span<UInt8>) throws(FrameError) {
        code = Code(rawValue: fields.first) ?? .failed
        text = try Text.decode(bytes)
    }

    /// The reason in an answer that is not a success, with words of our own if it has none.
    init(answer: Response, text: Span<UInt8>, to command: Command?) throws(FrameError) {
        try self.init(fields: answer.fields, text: text)
        if answer.status != .returned { code = .failed }
        if self.text.isEmpty {
            let subject = command?.description ?? "the migration"
            self.text = "The destination refused \(subject) without giving a reason."
        }
    }

    /// The header fields that carry the code.
    var fields: HeaderFields { HeaderFields(first: code.rawValue) }
}
