import GuestMemory
import KVM
import LinuxSystem
private import Synchronization

/// The kernel's record of the pages that processors write.
///
/// Pages stay in the kernel's log until they are cleared, where the kernel can do that: the last
/// round of a migration, when nothing runs any more, only reads, which takes no time.
final class DirtyLog: Sendable {
    private struct State {
        /// A bit for each page of each region, reused for every reading.
        var bitmaps: [[UInt64]] = []
    }

    private let kernel: KernelMachine
    private let memory: GuestRAM
    private let clearsItself: Bool
    private let state = Mutex(State())

    /// Made before any logging, which settles how the log is cleared.
    init(kernel: KernelMachine, memory: GuestRAM) {
        self.kernel = kernel
        self.memory = memory
        if kernel.machine.value(of: .manualDirtyLogProtection) & 1 != 0,
            (try? kernel.machine.useManualDirtyLogProtection(initiallySet: false)) != nil
        {
            clearsItself = false
        } else {
            clearsItself = true
        }
    }

    /// Begins to record, with no page written yet.
    func start() throws(SystemError) {
        state.withLock { state in
            state.bitmaps = memory.regions.map { region in
                let pages = Int(clamping: region.layout.size / trackedPageSize)
                return [UInt64](repeating: 0, count: (pages + 63) / 64)
            }
        }
        for region in memory.regions { try setFlags(.logDirtyPages, of: region) }
    }

    /// Ends the record. A slot that refuses goes on recording, which costs time and nothing else.
    func stop() {
        for region in memory.regions { try? setFlags([], of: region) }
        state.withLock { $0.bitmaps = [] }
    }

    /// Adds the pages written since the last call to `pages`.
    ///
    /// - Parameter clearing: whether to forget them; not needed when nothing runs any more.
    func collect(into pages: inout PageSet, clearing: Bool) throws(SystemError) {
        try state.withLock { (state) throws(SystemError) in
            for index in state.bitmaps.indices {
                // Taken out for the time of use, so that the array is not copied.
                var bitmap: [UInt64] = []
                swap(&bitmap, &state.bitmaps[index])
                defer { swap(&bitmap, &state.bitmaps[index]) }
                try collect(index, &bitmap, into: &pages, clearing: clearing)
            }
        }
    }

    private func collect(
        _ index: Int, _ bitmap: inout [UInt64], into pages: inout PageSet, clearing: Bool
    ) throws(SystemError) {
        let layout = memory.regions[index].layout
        var words = bitmap.mutableSpan
        try kernel.machine.readDirtyLog(slot: layout.slot, into: &words)
        pages.merge(bitmap.span, intoRegion: index)
        guard clearing, !clearsItself else { return }
        try kernel.machine.clearDirtyLog(
            slot: layout.slot, firstPage: 0,
            pageCount: Int(clamping: layout.size / trackedPageSize), bitmap: bitmap.span)
    }

    private func setFlags(
        _ flags: KVMVirtualMachine.MemoryFlags, of region: MemoryRegion
    ) throws(SystemError) {
        try kernel.machine.setMemory(
            slot: region.layout.slot, address: region.layout.start.rawValue,
            segment: region.segment, flags: flags)
    }
}
