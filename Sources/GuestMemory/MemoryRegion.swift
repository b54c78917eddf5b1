public import LinuxSystem

/// One region of a guest's RAM: a run of guest addresses and the host mapping behind it.
///
/// It owns the mapping and, for shared memory, a descriptor of the file, so that a region can be
/// handed to another process while the guest uses it.
public final class MemoryRegion: Sendable {
    /// Where the region lies.
    public let layout: RegionLayout

    /// The guest addresses of the region.
    public let range: GuestRange

    /// The file behind it, which local migration hands over; nil for private memory.
    public let file: SharedDescriptor?

    let mapping: Mapping
    let dirty: DirtyBitmap

    init(
        layout: RegionLayout, range: GuestRange, mapping: consuming Mapping,
        file: SharedDescriptor?
    ) {
        self.layout = layout
        self.range = range
        self.mapping = mapping
        self.file = file
        dirty = DirtyBitmap(pages: Int(clamping: layout.size / trackedPageSize))
    }

    /// All bytes of the region. The region must outlive every use.
    public var segment: MemorySegment {
        // SAFETY: the mapping is as long as the layout says and lives as long as the region.
        unsafe MemorySegment(baseAddress: mapping.baseAddress, count: Int(clamping: layout.size))
    }

    /// Start of the region in this process, as `KVM_SET_USER_MEMORY_REGION` wants it.
    public var hostAddress: UInt64 {
        unsafe UInt64(UInt(bitPattern: mapping.baseAddress))
    }

    /// Takes the memory for all pages now, instead of when the guest touches them.
    func populate() throws(SystemError) {
        try mapping.advise(.populateForWriting)
    }

    /// The parts of the region that have pages: what was never touched reads as zeros and need
    /// not be sent. Everything, where the kernel cannot tell.
    public func populatedRanges() -> [GuestRange] {
        guard let file else { return [range] }
        var found: [GuestRange] = []
        var offset = Int(clamping: layout.fileOffset)
        let end = Int(clamping: layout.fileOffset + layout.size)
        do throws(SystemError) {
            while offset < end, let extent = try file.descriptor.nextExtent(from: offset) {
                let low = max(extent.lowerBound, offset)
                let high = min(extent.upperBound, end)
                guard low < high else { break }
                found.append(guestRange(ofFile: low..<high))
                offset = high
            }
        } catch {
            // hugetlbfs and files of another process may not tell: then all of it counts.
            return [range]
        }
        return found
    }

    private func guestRange(ofFile part: Range<Int>) -> GuestRange {
        let offset = UInt64(part.lowerBound) - layout.fileOffset
        let start = GuestAddress(layout.start.rawValue + offset)
        return GuestRange(start: start, length: UInt64(part.count)) ?? range
    }
}
