/// The secret that names one migration: 16 random bytes, made by the source.
///
/// Whoever shows it may inquire after the guest, so it must come from the kernel's random source
/// and is never logged.
public struct SessionToken: Hashable, Sendable {
    /// The size of a token.
    public static let byteCount = 16

    private let low: UInt64
    private let high: UInt64

    /// A token from exactly 16 bytes.
    public init(decoding bytes: Span<UInt8>) throws(FrameError) {
        guard bytes.count == Self.byteCount else {
            throw .wrongSize(
                frame: "A session token", expected: Self.byteCount, actual: bytes.count)
        }
        low = bytes.littleEndian(at: 0)
        high = bytes.littleEndian(at: 8)
    }

    /// A fresh token from `generator`, which must be the system's outside of tests.
    public init(using generator: inout some RandomNumberGenerator) {
        low = generator.next()
        high = generator.next()
    }

    /// A fresh token from the kernel's random source.
    public static func random() -> SessionToken {
        var generator = SystemRandomNumberGenerator()
        return SessionToken(using: &generator)
    }

    /// Compares all bytes, in a time that does not depend on how many are equal.
    func equals(_ other: SessionToken) -> Bool {
        (low ^ other.low) | (high ^ other.high) == 0
    }

    /// The 16 bytes.
    public var encoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendLittleEndian(low)
        bytes.appendLittleEndian(high)
        return bytes
    }
}
