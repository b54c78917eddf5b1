/// Ranges as they stand on the wire: back to back, without a count.
///
/// A sender keeps one table, fills it, sends `bytes` and empties it again, so that its storage is
/// allocated once. A receiver makes one from the payload that it read, or reads ranges right from
/// its own buffer with `MemoryRange(in:at:)`.
public struct MemoryRangeTable: Equatable, Sendable {
    /// The encoded table, the payload of a Memory or ZeroRanges request.
    public private(set) var bytes: [UInt8] = []
    /// The sum of all lengths: the bytes of content that follow the table in a Memory request.
    public private(set) var contentLength: UInt64 = 0

    /// An empty table with room for `capacity` ranges.
    public init(reservingCapacity capacity: Int = 0) {
        bytes.reserveCapacity(capacity * MemoryRange.byteCount)
    }

    /// Takes a table from a peer over; checks its size and that the lengths can be summed up.
    public init(decoding bytes: [UInt8]) throws(RangeError) {
        guard bytes.count.isMultiple(of: MemoryRange.byteCount) else {
            throw .cutTable(byteCount: UInt64(bytes.count))
        }
        self.bytes = bytes
        for index in 0..<count {
            let (sum, overflow) = contentLength.addingReportingOverflow(self[index].length)
            guard !overflow else { throw .overflow(self[index]) }
            contentLength = sum
        }
    }

    /// The number of ranges in a table of `length` bytes, as a request's header gives it.
    ///
    /// - Parameter limit: The most ranges that are accepted, `Limits.maximumRanges` or lower.
    public static func rangeCount(length: UInt64, limit: Int) throws(RangeError) -> Int {
        guard length.isMultiple(of: UInt64(MemoryRange.byteCount)) else {
            throw .cutTable(byteCount: length)
        }
        guard let count = Int(exactly: length / UInt64(MemoryRange.byteCount)), count <= limit
        else {
            throw .tooManyRanges(count: length / UInt64(MemoryRange.byteCount), limit: limit)
        }
        return count
    }

    /// The size of a table with `rangeCount` ranges, as a request's header gives it.
    static func byteCount(rangeCount: Int) -> UInt64 {
        let (bytes, overflow) = UInt64(clamping: rangeCount)
            .multipliedReportingOverflow(by: UInt64(MemoryRange.byteCount))
        return overflow ? .max : bytes
    }

    /// The number of ranges.
    public var count: Int { bytes.count / MemoryRange.byteCount }

    /// Whether there is no range.
    public var isEmpty: Bool { bytes.isEmpty }

    /// The range at `index`, which must be below `count`.
    public subscript(index: Int) -> MemoryRange {
        MemoryRange(in: bytes.span, at: index)
    }

    /// Adds a range at the end.
    ///
    /// Ranges of one guest never overflow `contentLength`; if they do, it stays at the maximum.
    public mutating func append(_ range: MemoryRange) {
        range.append(to: &bytes)
        let (sum, overflow) = contentLength.addingReportingOverflow(range.length)
        contentLength = overflow ? .max : sum
    }

    /// Empties the table and keeps its storage.
    public mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        contentLength = 0
    }
}
