import GuestMemory
import KVM
import LinuxSystem
private import Synchronization

/// The pages that processors write, from the kernel's rings, one for each processor.
///
/// A ring that is full brings its processor out of the guest; its own thread empties it then. What
/// was taken out of rings is kept here until it is collected. A page is put here before the kernel
/// protects it again, so a write is never forgotten.
///
/// The kernel lets a processor out before the last entry of its ring is used. Where none is left the
/// processor has gone on, and entries were overwritten: written pages are unknown, and from then on
/// nothing can be collected. Better no migration than a damaged guest.
final class DirtyRings: Sendable {
    /// 16384 entries of 16 bytes: a processor that writes as fast as it can leaves the guest for this
    /// some ten times in a second.
    private static let byteCount = 16_384 * 16

    private struct State: ~Copyable {
        /// Pages that were taken out of rings and not collected.
        var record: PageSet
        /// How many entries of each ring were taken and not handed back.
        var takenCounts: [Int]
        /// Pages that each processor has written, in all.
        var totals: [UInt64]
        /// The same, when the record was last collected.
        var collectedTotals: [UInt64]
        /// What each wrote between the last two collections.
        var recent: [UInt64]
        /// The first ring that had no free entry.
        var overrun: Int?
    }

    private final class Ring: Sendable {
        let entries: Mutex<DirtyRing>

        init(_ ring: consuming DirtyRing) {
            entries = Mutex(ring)
        }
    }

    private let kernel: KernelMachine
    private let layouts: [RegionLayout]
    private let rings: [Ring]
    private let entryCount: Int
    /// Held while rings are emptied and handed back, so that what is taken meanwhile is counted once.
    private let state: Mutex<State>

    /// Switches rings on; before the first processor is made.
    static func enable(on machine: borrowing KVMVirtualMachine) throws(SystemError) {
        try machine.useDirtyRings(byteCount: size(on: machine))
    }

    private static func size(on machine: borrowing KVMVirtualMachine) -> Int {
        min(byteCount, machine.largestDirtyRing)
    }

    /// Maps the rings of all processors.
    init(
        kernel: KernelMachine, memory: GuestRAM, processors: [Processor]
    ) throws(SystemError) {
        self.kernel = kernel
        layouts = memory.layouts
        let size = Self.size(on: kernel.machine)
        var rings: [Ring] = []
        for processor in processors {
            rings.append(Ring(try processor.hardware.dirtyRing(byteCount: size)))
        }
        self.rings = rings
        entryCount = size / DirtyRing.entrySize
        let zeros = [UInt64](repeating: 0, count: rings.count)
        state = Mutex(
            State(
                record: PageSet(layouts: memory.layouts),
                takenCounts: [Int](repeating: 0, count: rings.count), totals: zeros,
                collectedTotals: zeros, recent: zeros))
        for (index, processor) in processors.enumerated() {
            processor.whenDirtyRingIsFull { [weak self] in self?.empty(index) }
        }
    }

    /// How many pages each processor has written between the last two collections.
    var recentPages: [UInt64] { state.withLock { $0.recent } }

    /// Adds the pages that were written since the last call to `pages`, and forgets them.
    ///
    /// - Throws: also when the kernel has lost written pages, now or before.
    func collect(into pages: inout PageSet) throws(SystemError) {
        try state.withLock { (state) throws(SystemError) in
            for index in rings.indices { drain(index, &state) }
            try handBack(&state)
            if let ring = state.overrun {
                throw SystemError(
                    "read", "the ring of pages that processor \(ring) writes", .noBufferSpace,
                    advice: "this kernel let it overflow, and written pages are lost; create the "
                        + "guest with dirty_tracking=log")
            }
            pages.formUnion(state.record)
            state.record.removeAll()
            state.recent = zip(state.totals, state.collectedTotals).map { $0 &- $1 }
            state.collectedTotals = state.totals
        }
    }

    /// Forgets everything.
    func clear() throws(SystemError) {
        var dropped = PageSet(layouts: layouts)
        try collect(into: &dropped)
    }

    /// Makes room in one ring, on its processor's thread.
    private func empty(_ index: Int) {
        state.withLock { state in
            drain(index, &state)
            // If that fails the processor comes back at once, and whoever collects hears why.
            try? handBack(&state)
        }
    }

    /// Takes what is in a ring.
    private func drain(_ index: Int, _ state: inout State) {
        rings[index].entries.withLock { entries in
            while state.takenCounts[index] < entryCount, let entry = entries.take() {
                state.takenCounts[index] += 1
                state.totals[index] &+= 1
                guard let region = layouts.firstIndex(where: { $0.slot == entry.slot }),
                    let page = Int(exactly: entry.page), page < Int.max
                else { continue }
                state.record.insert(pages: page..<(page + 1), inRegion: region)
            }
        }
        if state.takenCounts[index] >= entryCount, state.overrun == nil { state.overrun = index }
    }

    /// Gives the entries that were taken back to the kernel.
    private func handBack(_ state: inout State) throws(SystemError) {
        try kernel.machine.resetDirtyRings()
        for index in state.takenCounts.indices { state.takenCounts[index] = 0 }
    }
}
