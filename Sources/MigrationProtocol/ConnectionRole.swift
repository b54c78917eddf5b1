/// What a connection other than the main one is for: its first two bytes.
///
/// The main connection begins with a Start request instead, whose first two bytes are 01 00, as
/// those of `memory`: before there is a configured main connection of the base protocol it is
/// Start. The codes of extensions differ from both.
public enum ConnectionRole: UInt16, CaseIterable, Sendable {
    /// The size of an encoded role.
    public static let byteCount = 2

    /// Base protocol: carries Memory requests of the pre-copy phase. Never answered.
    case memory = 1
    /// Base protocol: carries page requests of the post-copy phase. Never answered.
    case fault = 2
    /// Asks what became of a guest: a session token follows, then one answer.
    case inquiry = 0x4D00
    /// Extension session: a session token follows, then one answer; then as `memory`, with zero
    /// ranges and pipelining as agreed on.
    case boundMemory = 0x4D01

    /// Decodes exactly two bytes.
    public init(decoding bytes: Span<UInt8>) throws(FrameError) {
        guard bytes.count == Self.byteCount else {
            throw .wrongSize(
                frame: "A connection role", expected: Self.byteCount, actual: bytes.count)
        }
        let code = bytes.littleEndian(at: 0, as: UInt16.self)
        guard let role = ConnectionRole(rawValue: code) else { throw .unknownRole(code) }
        self = role
    }

    /// The two bytes.
    public var encoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendLittleEndian(rawValue)
        return bytes
    }
}
