/// The regions of guest memory, and what ranges from a peer may be in relation to them.
///
/// A range that crosses the border of two touching regions is legal on the wire: some base-protocol
/// sources send it, so a receiver splits it with `pieces(of:)`. Martlet never sends one, because
/// some base-protocol destinations misplace it.
public struct RegionList: Equatable, Sendable {
    /// The regions, ascending.
    public let regions: [MemoryRange]

    /// A list of regions in any order, none empty, none overlapping.
    public init(_ regions: [MemoryRange]) throws(RangeError) {
        let sorted = regions.sorted { $0.address < $1.address }
        var previousEnd: UInt64 = 0
        for region in sorted {
            guard let end = region.end else { throw .overflow(region) }
            guard region.length > 0, region.address >= previousEnd else {
                throw .invalidRegion(region)
            }
            previousEnd = end
        }
        self.regions = sorted
    }

    /// The index of the region that all of `range` lies in.
    ///
    /// - Parameter alignment: What address and length must be multiples of, a power of two; 1 for
    ///   any.
    public func index(containing range: MemoryRange, alignment: UInt64 = 1)
        throws(RangeError) -> Int
    {
        guard range.isAligned(to: alignment) else {
            throw .misaligned(range, alignment: alignment)
        }
        guard let end = range.end else { throw .overflow(range) }
        guard let index = index(at: range.address), let regionEnd = regions[index].end else {
            throw .outsideMemory(range)
        }
        guard end <= regionEnd else {
            _ = try pieces(of: range)
            throw .crossesRegions(range)
        }
        return index
    }

    /// The parts of `range` that lie in one region each, ascending.
    ///
    /// Throws unless every byte is guest memory; so nothing is written for a range that is only
    /// partly valid. A range of length 0 has no parts, wherever it lies.
    public func pieces(of range: MemoryRange) throws(RangeError) -> Pieces {
        guard let end = range.end else { throw .overflow(range) }
        let first = range.length > 0 ? index(at: range.address) : 0
        guard let first else { throw .outsideMemory(range) }
        var index = first
        var position = range.address
        while position < end {
            guard index < regions.count, regions[index].address <= position,
                let regionEnd = regions[index].end
            else { throw .outsideMemory(range) }
            position = min(end, regionEnd)
            index += 1
        }
        return Pieces(list: self, rest: range, index: first)
    }

    /// The region that has a byte at `address`, found by bisection.
    private func index(at address: UInt64) -> Int? {
        var low = 0
        var high = regions.count
        while low < high {
            let middle = (low + high) / 2
            if regions[middle].address <= address { low = middle + 1 } else { high = middle }
        }
        guard low > 0, address - regions[low - 1].address < regions[low - 1].length else {
            return nil
        }
        return low - 1
    }

    /// The parts of a checked range, each with the index of its region.
    public struct Pieces: Sequence, IteratorProtocol, Sendable {
        fileprivate let list: RegionList
        fileprivate var rest: MemoryRange
        fileprivate var index: Int

        /// The next part, or nil after the last.
        public mutating func next() -> (range: MemoryRange, region: Int)? {
            guard rest.length > 0, index < list.regions.count else { return nil }
            let region = list.regions[index]
            let room = region.length - (rest.address - region.address)
            let piece = MemoryRange(address: rest.address, length: Swift.min(rest.length, room))
            rest = MemoryRange(
                address: rest.address &+ piece.length, length: rest.length - piece.length)
            defer { index += 1 }
            return (piece, index)
        }
    }
}
