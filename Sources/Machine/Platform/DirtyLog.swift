import GuestMemory
import KVM
import LinuxSystem
private import Synchronization

/// The kernel's record of the pages that processors write.
///
/// Pages stay in the kernel's log until they are forgotten, part by part, just before they are sent:
/// whoever sends does it, so it takes no time of its own, and a page that is written again before
/// its turn is sent once. A kernel that clears its log when it is read forgets then.
///
/// Where the kernel can, logging begins with all pages in the log. Then it protects no page before
/// that is first forgotten, and a large guest does not feel the beginning.
final class DirtyLog: Sendable {
    /// How the kernel's log is cleared.
    enum Mode: Equatable, Sendable {
        /// When it is read.
        case byReading
        /// On request.
        case onRequest
        /// On request, and all pages are in it at the beginning.
        case onRequestInitiallySet
        /// There is none: the kernel has rings.
        case rings
    }

    private struct State {
        /// A bit for each page of each region, reused for every reading.
        var bitmaps: [[UInt64]] = []
    }

    let mode: Mode
    private let kernel: KernelMachine
    private let memory: GuestRAM
    private let rings: DirtyRings?
    private let state = Mutex(State())

    /// The record of a machine that uses rings.
    init(kernel: KernelMachine, memory: GuestRAM, rings: DirtyRings) {
        mode = .rings
        self.kernel = kernel
        self.memory = memory
        self.rings = rings
    }

    /// Made before any logging, which settles how the log is cleared.
    ///
    /// - Parameter wanted: the mode, where it is not the best that the kernel has.
    init(kernel: KernelMachine, memory: GuestRAM, wanted: Mode = .onRequestInitiallySet) {
        self.kernel = kernel
        self.memory = memory
        rings = nil
        let offered = kernel.machine.value(of: .manualDirtyLogProtection)
        func use(initiallySet: Bool) -> Bool {
            let bits = initiallySet ? 3 : 1
            return offered & bits == bits
                && (try? kernel.machine.useManualDirtyLogProtection(initiallySet: initiallySet))
                    != nil
        }
        if wanted == .onRequestInitiallySet, use(initiallySet: true) {
            mode = .onRequestInitiallySet
        } else if wanted != .byReading, use(initiallySet: false) {
            mode = .onRequest
        } else {
            mode = .byReading
        }
    }

    /// Begins to record. Pages that have been touched before may be in the record, or not.
    func start() throws(SystemError) {
        try rings?.clear()
        state.withLock { state in
            state.bitmaps = memory.regions.map { region in
                let pages = Int(clamping: region.layout.size / trackedPageSize)
                return [UInt64](repeating: 0, count: (pages + 63) / 64)
            }
        }
        for region in memory.regions { try setFlags(.logDirtyPages, of: region) }
        guard mode == .onRequestInitiallySet else { return }
        // Nobody will send what nobody has touched, so nobody would forget it. Who looks for touched
        // pages after this finds those that are touched meanwhile.
        var untouched = PageSet(layouts: memory.layouts)
        untouched.insertAll()
        for (index, region) in memory.regions.enumerated() {
            for range in region.populatedRanges() {
                let first = range.start.rawValue - region.layout.start.rawValue
                let end = range.end.rawValue - region.layout.start.rawValue
                untouched.remove(
                    pages: Int(
                        clamping: first / trackedPageSize)..<Int(
                            clamping: (end + trackedPageSize - 1) / trackedPageSize),
                    inRegion: index)
            }
            try forget(
                pages: 0..<untouched.pageCount(ofRegion: index), of: untouched, inRegion: index)
        }
    }

    /// Ends the record. A slot that refuses goes on recording, which costs time and nothing else.
    func stop() {
        for region in memory.regions { try? setFlags([], of: region) }
        try? rings?.clear()
        state.withLock { $0.bitmaps = [] }
    }

    /// Adds the pages that were written, and not forgotten since, to `pages`.
    func collect(into pages: inout PageSet) throws(SystemError) {
        if let rings { return try rings.collect(into: &pages) }
        try state.withLock { (state) throws(SystemError) in
            for index in state.bitmaps.indices {
                // Taken out for the time of use, so that the array is not copied.
                var bitmap: [UInt64] = []
                swap(&bitmap, &state.bitmaps[index])
                defer { swap(&bitmap, &state.bitmaps[index]) }
                var words = bitmap.mutableSpan
                try kernel.machine.readDirtyLog(
                    slot: memory.regions[index].layout.slot, into: &words)
                pages.merge(bitmap.span, intoRegion: index)
            }
        }
    }

    /// How many pages each processor has written between the last two collections; nil where that
    /// is not known.
    var recentPages: [UInt64]? { rings?.recentPages }

    /// Forgets those of a range of pages that are in a set. From any thread.
    ///
    /// - Parameter range: begins at a multiple of 64 and ends at one, or at the end of the region.
    func forget(
        pages range: Range<Int>, of set: borrowing PageSet, inRegion index: Int
    ) throws(SystemError) {
        guard mode == .onRequest || mode == .onRequestInitiallySet, !range.isEmpty,
            memory.regions.indices.contains(index)
        else {
            return
        }
        var bits: [UInt64] = []
        set.copyBits(
            words: range.lowerBound / 64..<(range.upperBound + 63) / 64, ofRegion: index,
            into: &bits)
        guard bits.contains(where: { $0 != 0 }) else { return }
        try kernel.machine.clearDirtyLog(
            slot: memory.regions[index].layout.slot, firstPage: range.lowerBound,
            pageCount: range.count, bitmap: bits.span)
    }

    private func setFlags(
        _ flags: KVMVirtualMachine.MemoryFlags, of region: MemoryRegion
    ) throws(SystemError) {
        try kernel.machine.setMemory(
            slot: region.layout.slot, address: region.layout.start.rawValue,
            segment: region.segment, flags: flags)
    }
}
