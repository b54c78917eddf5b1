import Intrinsics

/// The RAM that nobody uses yet, handed out from the bottom of each region and never taken back.
final class PhysicalMemory {
    /// A piece of RAM, page aligned.
    struct Region {
        var start: UInt64
        var end: UInt64

        var size: UInt64 { end - start }
    }

    static let pageSize: UInt64 = 4096
    private static let regionLimit = 16
    private static let usable: UInt32 = 1

    private(set) var regions = [16 of Region](repeating: Region(start: 0, end: 0))
    private(set) var regionCount = 0
    /// All RAM in the loader's map, in bytes.
    private(set) var total: UInt64 = 0
    /// Where RAM below 4 GiB ends.
    private(set) var topBelow4GiB: UInt64 = 0

    init(_ information: start_info) {
        let map = pointer(information.memory_map, to: memory_map_entry.self)
        for index in 0..<Int(information.memory_map_count) where map[index].type == Self.usable {
            add(start: map[index].address, size: map[index].size)
        }
    }

    /// The first address and `bytes` of zeroed or unknown contents. Nil: no region has room.
    ///
    /// `high` looks in the last region first, which lies above 4 GiB in a large guest.
    func allocate(_ bytes: UInt64, alignment: UInt64 = pageSize, high: Bool = false) -> UInt64? {
        for step in 0..<regionCount {
            let index = high ? regionCount - 1 - step : step
            let start = (regions[index].start + alignment - 1) & ~(alignment - 1)
            guard start < regions[index].end, regions[index].end - start >= bytes else { continue }
            let pages = (bytes + Self.pageSize - 1) & ~(Self.pageSize - 1)
            regions[index].start = min(start + pages, regions[index].end)
            return start
        }
        return nil
    }

    /// Zeroed memory, below 4 GiB where there is room.
    func allocateZeroed(_ bytes: UInt64, alignment: UInt64 = pageSize) -> UInt64? {
        guard let start = allocate(bytes, alignment: alignment) else { return nil }
        pointer(start, to: UInt8.self).update(repeating: 0, count: Int(bytes))
        return start
    }

    /// Takes a loader's entry, without what is below or inside the image: loaders and firmware keep
    /// their tables there.
    private func add(start: UInt64, size: UInt64) {
        total += size
        let (end, overflow) = start.addingReportingOverflow(size)
        guard !overflow else { return }
        if end <= 1 << 32 { topBelow4GiB = max(topBelow4GiB, end) }
        let mask = Self.pageSize - 1
        let first = (max(start, image_end_address()) + mask) & ~mask
        let last = end & ~mask
        guard first < last, regionCount < Self.regionLimit else { return }
        regions[regionCount] = Region(start: first, end: last)
        regionCount += 1
    }
}
