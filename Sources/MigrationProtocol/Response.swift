/// What an answer says.
public enum ResponseStatus: UInt16, CaseIterable, Sendable {
    /// The request was carried out.
    case ok = 1
    /// The request failed and the migration is over.
    case error = 2
    /// The guest is the answerer's for ever (answer to Takeover and to inquiries).
    case running = 0x4D00
    /// Not one guest instruction ran at the answerer and none will in this session.
    case returned = 0x4D01
    /// The answerer cannot say, yet or any more (answer to inquiries).
    case unknown = 0x4D02
}

/// The 16 bytes that open every answer.
///
/// | offset | size | field |
/// |---|---|---|
/// | 0 | 2 | status |
/// | 2 | 6 | fields of the status; zero and ignored in the base protocol |
/// | 8 | 8 | length of the text that follows; 0 in the base protocol |
public struct Response: Equatable, Sendable {
    /// The size of an encoded response.
    public static let byteCount = 16

    /// What the answer says.
    public var status: ResponseStatus
    /// The status's own fields; zero for most.
    public var fields: HeaderFields
    /// Bytes that follow these 16.
    public var length: UInt64

    /// A response from its parts.
    public init(
        _ status: ResponseStatus, length: UInt64 = 0, fields: HeaderFields = HeaderFields()
    ) {
        self.status = status
        self.fields = fields
        self.length = length
    }

    /// Decodes exactly 16 bytes.
    public init(decoding bytes: Span<UInt8>) throws(FrameError) {
        guard bytes.count == Self.byteCount else {
            throw .wrongSize(frame: "A response", expected: Self.byteCount, actual: bytes.count)
        }
        let code = bytes.littleEndian(at: 0, as: UInt16.self)
        guard let status = ResponseStatus(rawValue: code) else { throw .unknownStatus(code) }
        self.status = status
        fields = HeaderFields(frame: bytes)
        length = bytes.littleEndian(at: 8)
    }

    /// Appends the 16 bytes to `bytes`, which the caller owns and reuses.
    public func append(to bytes: inout [UInt8]) {
        bytes.appendLittleEndian(status.rawValue)
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
