/// Why bytes from a peer are no valid frame.
public enum FrameError: Error, Equatable, Sendable {
    /// A fixed-size frame was decoded from another number of bytes.
    case wrongSize(frame: String, expected: Int, actual: Int)
    /// The command code is in nobody's table.
    case unknownCommand(UInt16)
    /// The status code of a response is in nobody's table.
    case unknownStatus(UInt16)
    /// The role code at the beginning of an additional connection is in nobody's table.
    case unknownRole(UInt16)
    /// A command came with a payload length that it cannot have.
    case invalidLength(command: Command, length: UInt64)
    /// A length is above the limit that this end has for it.
    case overLimit(field: String, value: UInt64, limit: UInt64)
    /// A text is not UTF-8.
    case invalidText
    /// A header field has a value without a meaning.
    case invalidField(name: String, value: UInt64)
}

extension FrameError: CustomStringConvertible {
    /// One sentence: what was received and why it is refused.
    public var description: String {
        switch self {
        case .wrongSize(let frame, let expected, let actual):
            "\(frame) has \(actual) bytes instead of \(expected)."
        case .unknownCommand(let code):
            "The peer sent the unknown command \(code); it may speak a newer protocol."
        case .unknownStatus(let code):
            "The peer answered with the unknown status \(code); it may speak a newer protocol."
        case .unknownRole(let code):
            "A connection announced the unknown role \(code); it may come from another program."
        case .invalidLength(let command, let length):
            "\(command) came with an impossible payload length of \(length) bytes."
        case .overLimit(let field, let value, let limit):
            "\(field) of \(value) is above the limit of \(limit)."
        case .invalidText:
            "A text from the peer is not UTF-8."
        case .invalidField(let name, let value):
            "The field \(name) has the undefined value \(value)."
        }
    }
}
