/// The six bytes at offsets 2...7 of a request or response, as three integers.
///
/// The base protocol uses the first field of a Start request only, writes zeros otherwise and
/// ignores what it reads; extensions live in the rest.
public struct HeaderFields: Equatable, Sendable {
    /// Bytes 2...3.
    public var first: UInt16
    /// Bytes 4...5.
    public var second: UInt16
    /// Bytes 6...7.
    public var third: UInt16

    /// Fields with the given values, zero by default.
    public init(first: UInt16 = 0, second: UInt16 = 0, third: UInt16 = 0) {
        self.first = first
        self.second = second
        self.third = third
    }

    /// The fields of the 16-byte frame at the beginning of `bytes`.
    init(frame bytes: Span<UInt8>) {
        first = bytes.littleEndian(at: 2)
        second = bytes.littleEndian(at: 4)
        third = bytes.littleEndian(at: 6)
    }

    /// Appends the six bytes.
    func append(to bytes: inout [UInt8]) {
        bytes.appendLittleEndian(first)
        bytes.appendLittleEndian(second)
        bytes.appendLittleEndian(third)
    }
}
