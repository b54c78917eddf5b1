import GuestMemory
import LinuxSystem
import MigrationProtocol
import Transport

/// Puts contents from the wire into guest memory, where each range says.
///
/// Nothing that a table says is trusted: every range is looked up in the guest's regions before
/// the first byte of its content is read. Contents go from the socket straight to their place.
struct MemoryReceiver: ~Copyable {
    let memory: GuestRAM

    /// What was agreed on.
    let extensions: Extensions

    private let regions: RegionList

    /// Pages that have been written, by this and by all other connections of the migration.
    private let written: GrowingPageSet

    private(set) var table: [UInt8] = []
    private var segments: [MemorySegment] = []

    /// What reads blocks, once some have come.
    var blocks: BlockReader?

    /// How many ranges are received with one call, so that the list of segments stays small even
    /// for the largest table.
    private static let rangesPerCall = 4096

    /// - Parameter written: shared by all receivers of this memory; pages that are not in it are
    ///   zero already.
    init(
        memory: GuestRAM, written: GrowingPageSet, extensions: Extensions
    ) throws(RangeError) {
        self.memory = memory
        self.extensions = extensions
        self.written = written
        regions = try RegionList(
            memory.layouts.map { MemoryRange(address: $0.start.rawValue, length: $0.size) })
    }

    /// Receives a table and the contents of its ranges.
    ///
    /// - Returns: bytes of content.
    mutating func receiveContents(
        rangeCount: Int, from channel: some Channel, within limits: OperationLimits
    ) throws(MigrationError) -> UInt64 {
        try receiveTable(rangeCount, from: channel, within: limits)
        var total: UInt64 = 0
        var next = 0
        while next < rangeCount {
            let end = min(rangeCount, next + Self.rangesPerCall)
            total &+= try collectSegments(next..<end)
            do throws(TransportError) {
                try channel.receive(into: segments, within: limits)
            } catch {
                throw MigrationError(error)
            }
            next = end
        }
        return total
    }

    /// Receives a table of ranges that are to be zero.
    mutating func receiveZeros(
        rangeCount: Int, from channel: some Channel, within limits: OperationLimits
    ) throws(MigrationError) {
        try receiveTable(rangeCount, from: channel, within: limits)
        for index in 0..<rangeCount {
            let range = MemoryRange(in: table.span, at: index)
            var pieces = try pieces(of: range)
            while let piece = pieces.next() { try clear(piece.range, of: range) }
        }
    }

    mutating func receiveTable(
        _ rangeCount: Int, from channel: some Channel, within limits: OperationLimits
    ) throws(MigrationError) {
        do throws(TransportError) {
            try channel.receive(
                rangeCount * MemoryRange.byteCount, into: &table, within: limits)
        } catch {
            throw MigrationError(error)
        }
        // All of it is checked before anything is written.
        for index in 0..<rangeCount {
            do throws(RangeError) {
                _ = try regions.pieces(of: MemoryRange(in: table.span, at: index))
            } catch {
                throw .invalidMessage(.range(error))
            }
        }
    }

    private mutating func collectSegments(
        _ indexes: Range<Int>
    ) throws(MigrationError) -> UInt64 {
        // Taken out meanwhile, so that it is not shared.
        var list: [MemorySegment] = []
        swap(&list, &segments)
        defer { swap(&list, &segments) }
        list.removeAll(keepingCapacity: true)
        var total: UInt64 = 0
        for index in indexes {
            let range = MemoryRange(in: table.span, at: index)
            total &+= range.length
            try appendPlaces(of: range, to: &list)
        }
        return total
    }

    /// Appends where the contents of a range go, and notes that they are written.
    func appendPlaces(
        of range: MemoryRange, to segments: inout [MemorySegment]
    ) throws(MigrationError) {
        var pieces = try pieces(of: range)
        while let piece = pieces.next() {
            let place = try guestRange(piece.range)
            do throws(GuestMemoryError) {
                segments.append(try memory.segment(place))
            } catch {
                throw .invalidMessage(.range(.outsideMemory(range)))
            }
            written.insert(place)
        }
    }

    private func pieces(of range: MemoryRange) throws(MigrationError) -> RegionList.Pieces {
        do throws(RangeError) {
            return try regions.pieces(of: range)
        } catch {
            throw .invalidMessage(.range(error))
        }
    }

    private func guestRange(_ range: MemoryRange) throws(MigrationError) -> GuestRange {
        guard let found = GuestRange(start: GuestAddress(range.address), length: range.length)
        else { throw .invalidMessage(.range(.overflow(range))) }
        return found
    }

    /// Clears those pages of a piece of a range that were written before.
    private func clear(_ piece: MemoryRange, of range: MemoryRange) throws(MigrationError) {
        let piece = try guestRange(piece)
        guard let index = memory.regionIndex(holding: piece) else { return }
        let base = memory.regions[index].range.start.rawValue
        let first = Int((piece.start.rawValue - base) / trackedPageSize)
        let end = Int((piece.end.rawValue - base + trackedPageSize - 1) / trackedPageSize)
        for page in first..<end where written.contains(page: page, inRegion: index) {
            let start = base + UInt64(page) * trackedPageSize
            let low = max(start, piece.start.rawValue)
            let high = min(start + trackedPageSize, piece.end.rawValue)
            let part = try guestRange(MemoryRange(address: low, length: high - low))
            do throws(GuestMemoryError) {
                try memory.fillWithZeros(part)
            } catch {
                throw .invalidMessage(.range(.outsideMemory(range)))
            }
        }
    }
}
