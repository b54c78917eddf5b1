/// A run of guest-physical memory on the wire: 16 bytes, address and then length.
///
/// Any two integers form a range; whether it lies in guest memory is for `RegionList` to say.
public struct MemoryRange: Hashable, Sendable {
    /// The size of an encoded range.
    public static let byteCount = 16

    /// The guest-physical address of the first byte.
    public var address: UInt64
    /// The number of bytes; may be 0.
    public var length: UInt64

    /// A range from its parts.
    public init(address: UInt64, length: UInt64) {
        self.address = address
        self.length = length
    }

    /// The range that stands at `index` in the encoded table `bytes`.
    ///
    /// Allocates nothing. The index must be below `bytes.count / 16`.
    public init(in bytes: Span<UInt8>, at index: Int) {
        address = bytes.littleEndian(at: index * Self.byteCount)
        length = bytes.littleEndian(at: index * Self.byteCount + 8)
    }

    /// The address after the last byte, or nil if it does not fit 64 bits.
    public var end: UInt64? {
        let (end, overflow) = address.addingReportingOverflow(length)
        return overflow ? nil : end
    }

    /// Whether address and length are multiples of `alignment`, a power of two.
    public func isAligned(to alignment: UInt64) -> Bool {
        (address | length) & (alignment &- 1) == 0
    }

    /// Appends the 16 bytes.
    func append(to bytes: inout [UInt8]) {
        bytes.appendLittleEndian(address)
        bytes.appendLittleEndian(length)
    }

    /// The parts of this range of at most `limit` bytes each, ascending.
    ///
    /// - Parameter limit: At least 1; a multiple of the page size keeps the parts aligned.
    public func chunks(of limit: UInt64) -> Chunks {
        Chunks(rest: self, limit: max(limit, 1))
    }

    /// The parts of a range, made one at a time without allocation.
    public struct Chunks: Sequence, IteratorProtocol, Sendable {
        fileprivate var rest: MemoryRange
        fileprivate let limit: UInt64

        /// The next part, or nil after the last.
        public mutating func next() -> MemoryRange? {
            guard rest.length > 0 else { return nil }
            let chunk = MemoryRange(address: rest.address, length: Swift.min(rest.length, limit))
            rest = MemoryRange(
                address: rest.address &+ chunk.length, length: rest.length - chunk.length)
            return chunk
        }
    }
}

extension MemoryRange: CustomStringConvertible {
    /// Address and length in hexadecimal.
    public var description: String {
        "0x\(String(address, radix: 16))+0x\(String(length, radix: 16))"
    }
}
