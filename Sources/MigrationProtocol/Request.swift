/// The 16 bytes that open every request.
///
/// | offset | size | field |
/// |---|---|---|
/// | 0 | 2 | command |
/// | 2 | 6 | fields of the command |
/// | 8 | 8 | length of the payload that follows |
///
/// For Memory the length covers the range table only; the contents follow it uncounted.
public struct Request: Equatable, Sendable {
    /// The size of an encoded request.
    public static let byteCount = 16

    /// What is asked for.
    public var command: Command
    /// The command's own fields; zero for most.
    public var fields: HeaderFields
    /// Bytes of payload after these 16.
    public var length: UInt64

    /// A request from its parts.
    public init(_ command: Command, length: UInt64 = 0, fields: HeaderFields = HeaderFields()) {
        self.command = command
        self.fields = fields
        self.length = length
    }

    /// Decodes exactly 16 bytes.
    public init(decoding bytes: Span<UInt8>) throws(FrameError) {
        guard bytes.count == Self.byteCount else {
            throw .wrongSize(frame: "A request", expected: Self.byteCount, actual: bytes.count)
        }
        let code = bytes.littleEndian(at: 0, as: UInt16.self)
        guard let command = Command(rawValue: code) else { throw .unknownCommand(code) }
        self.command = command
        fields = HeaderFields(frame: bytes)
        length = bytes.littleEndian(at: 8)
    }

    /// Appends the 16 bytes to `bytes`, which the caller owns and reuses.
    public func append(to bytes: inout [UInt8]) {
        bytes.appendLittleEndian(command.rawValue)
        fields.append(to: &bytes)
        bytes.appendLittleEndian(length)
    }

    /// The 16 bytes as an array of their own.
    public var encoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.byteCount)
        append(to: &bytes)
        return bytes
    }
}
