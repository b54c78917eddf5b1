public import LinuxSystem

/// A guest's RAM: the regions and the only way to reach their bytes.
///
/// The set of regions is fixed when it is made. Any thread may use it; the guest's vCPUs write to
/// the same bytes at any time, so a value is read once into a local, then checked, then used.
/// Every write through this type is recorded in the VMM's dirty bitmap; a write to guest memory
/// that goes another way is lost by a migration.
public final class GuestRAM: Sendable {
    /// The regions, from the lowest address up.
    public let regions: [MemoryRegion]

    /// What stands behind them.
    public let backing: MemoryBacking

    /// Makes fresh memory, which reads as zeros.
    ///
    /// - Parameters:
    ///   - layout: the regions, ascending and apart from each other. For shared memory all lie in
    ///     one file at their `fileOffset`.
    ///   - backing: shared or private, and the size of pages.
    public init(layout: [RegionLayout], backing: MemoryBacking) throws(GuestMemoryError) {
        let ranges = try Self.check(layout, pageSize: backing.pageSize)
        let total = layout.map { $0.fileOffset + $0.size }.max() ?? 0
        var made: [MemoryRegion] = []
        do throws(SystemError) {
            switch backing {
            case .sharedFile(let hugePages):
                let file = try Self.makeFile(size: total, hugePages: hugePages)
                for (region, range) in zip(layout, ranges) {
                    made.append(try Self.map(region, range, file: file, hugePages))
                }
            case .privateAnonymous(let hugePages):
                for (region, range) in zip(layout, ranges) {
                    let mapping = try Mapping(
                        anonymous: Int(clamping: region.size), hugePages: hugePages,
                        alignment: Self.alignment)
                    made.append(
                        MemoryRegion(layout: region, range: range, mapping: mapping, file: nil))
                }
            }
        } catch {
            throw .allocation(bytes: total, hugePages: backing.hugePages, error)
        }
        regions = made
        self.backing = backing
    }

    /// Maps memory which another process handed over; both then see the same pages.
    ///
    /// - Parameters:
    ///   - layout: the regions, ascending and apart from each other.
    ///   - hugePages: the size of the file's pages; nil for base pages.
    ///   - file: finds the file of a memory slot.
    /// - Throws: when a slot has no file, or one that is too short.
    public init(
        adopting layout: [RegionLayout], hugePages: HugePageSize?,
        file: (UInt32) -> SharedDescriptor?
    ) throws(GuestMemoryError) {
        let backing = MemoryBacking.sharedFile(hugePages: hugePages)
        let ranges = try Self.check(layout, pageSize: backing.pageSize)
        var made: [MemoryRegion] = []
        for (region, range) in zip(layout, ranges) {
            guard let descriptor = file(region.slot) else {
                throw .fileMissing(slot: region.slot)
            }
            made.append(try Self.adopt(region, range, file: descriptor, hugePages))
        }
        regions = made
        self.backing = backing
    }

    /// Takes the memory for all pages now, instead of when the guest touches them.
    public func populate() throws(GuestMemoryError) {
        for region in regions {
            do throws(SystemError) {
                try region.populate()
            } catch {
                throw .allocation(
                    bytes: region.layout.size, hugePages: backing.hugePages, error)
            }
        }
    }

    /// Size of all regions, in bytes.
    public var byteCount: UInt64 { regions.reduce(0) { $0 + $1.layout.size } }

    /// Layouts of the regions, in their order.
    public var layouts: [RegionLayout] { regions.map(\.layout) }

    /// Position of the region that holds all of `range`; nil when no single region does.
    @inline(__always)
    public func regionIndex(holding range: GuestRange) -> Int? {
        for index in regions.indices where regions[index].range.contains(range) { return index }
        return nil
    }

    /// The bytes of a range, for reading; whoever writes to them calls `markDirty` afterwards.
    ///
    /// - Throws: when the range is not inside one region.
    @inline(__always)
    public func segment(_ range: GuestRange) throws(GuestMemoryError) -> MemorySegment {
        for region in regions where region.range.contains(range) {
            let offset = Int(range.start.rawValue - region.range.start.rawValue)
            // SAFETY: inside the region, as just checked; the region lives as long as `self`.
            return unsafe MemorySegment(
                baseAddress: region.mapping.baseAddress + offset, count: Int(range.length))
        }
        throw .outsideMemory(address: range.start, length: range.length)
    }

    /// Records that a range was written; parts outside RAM are left out.
    @inline(__always)
    public func markDirty(_ range: GuestRange) {
        guard range.length > 0 else { return }
        for region in regions {
            let low = max(range.start, region.range.start)
            let high = min(range.end, region.range.end)
            guard low < high else { continue }
            let base = region.range.start.rawValue
            let first = Int((low.rawValue - base) / trackedPageSize)
            let last = Int((high.rawValue - 1 - base) / trackedPageSize)
            region.dirty.mark(first..<(last + 1))
        }
    }

    /// Adds the pages that were recorded as written to `pages`, and forgets them.
    public func collectDirtyPages(into pages: inout PageSet) {
        for (index, region) in regions.enumerated() {
            pages.merge(from: region, index: index)
        }
    }

    /// Forgets that those of a range of pages that are in a set were written, before they are read:
    /// what was written up to now is read, and need not be read again.
    public func forgetDirtyPages(
        _ range: Range<Int>, of set: borrowing PageSet, inRegion index: Int
    ) {
        guard regions.indices.contains(index) else { return }
        let pages = 0..<Int(clamping: regions[index].layout.size / trackedPageSize)
        let end = range.clamped(to: pages).upperBound
        var next = range.lowerBound
        while let run = set.nextRun(from: next, inRegion: index), run.lowerBound < end {
            regions[index].dirty.clear(run.clamped(to: next..<end))
            next = run.upperBound
        }
    }

    /// Regions start at a huge page boundary of the address space, so that the kernel can back
    /// them with huge pages where it is allowed to.
    private static let alignment = HugePageSize.twoMebibytes.rawValue

    private static func makeFile(
        size: UInt64, hugePages: HugePageSize?
    ) throws(SystemError) -> SharedDescriptor {
        let file = try MemoryFile(
            name: "guest-ram", size: Int(clamping: size), hugePages: hugePages)
        // Whoever gets the file by a local migration must not be able to cut it off under us.
        try file.add([.shrink, .grow])
        if hugePages != nil {
            // A pool that is too small is an error now and not a SIGBUS in the guest.
            try file.allocate(0..<Int(clamping: size))
        }
        return SharedDescriptor(file.intoDescriptor())
    }

    private static func adopt(
        _ layout: RegionLayout, _ range: GuestRange, file: SharedDescriptor,
        _ hugePages: HugePageSize?
    ) throws(GuestMemoryError) -> MemoryRegion {
        let needed = layout.fileOffset + layout.size
        let actual: UInt64
        do throws(SystemError) {
            actual = UInt64(clamping: try file.descriptor.regularFileSize)
            if actual >= needed { return try map(layout, range, file: file, hugePages) }
        } catch {
            throw .handover(slot: layout.slot, error)
        }
        throw .fileTooShort(slot: layout.slot, needed: needed, actual: actual)
    }

    private static func map(
        _ layout: RegionLayout, _ range: GuestRange, file: SharedDescriptor,
        _ hugePages: HugePageSize?
    ) throws(SystemError) -> MemoryRegion {
        let mapping = try Mapping(
            file: file.descriptor, offset: Int(clamping: layout.fileOffset),
            count: Int(clamping: layout.size),
            alignment: max(alignment, hugePages?.rawValue ?? 0))
        return MemoryRegion(layout: layout, range: range, mapping: mapping, file: file)
    }

    private static func check(
        _ layout: [RegionLayout], pageSize: UInt64
    ) throws(GuestMemoryError) -> [GuestRange] {
        var ranges: [GuestRange] = []
        var slots: Set<UInt32> = []
        for region in layout {
            guard region.size > 0 else { throw .invalidLayout(region, reason: .empty) }
            let parts = [region.start.rawValue, region.size, region.fileOffset]
            guard parts.allSatisfy({ $0.isMultiple(of: pageSize) }) else {
                throw .invalidLayout(region, reason: .unaligned)
            }
            guard let range = region.range, Int(exactly: region.size) != nil,
                !region.fileOffset.addingReportingOverflow(region.size).overflow
            else { throw .invalidLayout(region, reason: .wraps) }
            if let last = ranges.last, range.start < last.end {
                throw .invalidLayout(region, reason: .overlaps)
            }
            guard slots.insert(region.slot).inserted else {
                throw .invalidLayout(region, reason: .repeatedSlot)
            }
            ranges.append(range)
        }
        return ranges
    }
}

extension PageSet {
    fileprivate mutating func merge(from region: MemoryRegion, index: Int) {
        for word in 0..<region.dirty.wordCount {
            let bits = region.dirty.take(word: word)
            if bits != 0 { unsafe words[firstWord[index] + word] |= bits }
        }
    }
}
