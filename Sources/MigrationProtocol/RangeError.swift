/// Why a range, a table or a list of regions is not valid.
public enum RangeError: Error, Equatable, Sendable {
    /// A table whose size is no multiple of 16 bytes.
    case cutTable(byteCount: UInt64)
    /// A table with more ranges than this end accepts.
    case tooManyRanges(count: UInt64, limit: Int)
    /// Address or lengths do not fit 64 bits.
    case overflow(MemoryRange)
    /// The range is not aligned to this many bytes.
    case misaligned(MemoryRange, alignment: UInt64)
    /// Some byte of the range is not guest memory.
    case outsideMemory(MemoryRange)
    /// The range lies in guest memory, but not in a single region.
    case crossesRegions(MemoryRange)
    /// A region is empty or overlaps another.
    case invalidRegion(MemoryRange)
}

extension RangeError: CustomStringConvertible {
    /// One sentence: the range and what is wrong with it.
    public var description: String {
        switch self {
        case .cutTable(let byteCount):
            "A range table of \(byteCount) bytes is no multiple of 16."
        case .tooManyRanges(let count, let limit):
            "A range table has \(count) ranges, above the limit of \(limit)."
        case .overflow(let range):
            "Range \(range) goes beyond 64 bits."
        case .misaligned(let range, let alignment):
            "Range \(range) is not aligned to \(alignment) bytes."
        case .outsideMemory(let range):
            "Range \(range) is not inside guest memory; are both guests configured alike?"
        case .crossesRegions(let range):
            "Range \(range) crosses the border of two memory regions."
        case .invalidRegion(let range):
            "Memory region \(range) is empty or overlaps another."
        }
    }
}
