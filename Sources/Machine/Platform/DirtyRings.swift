import GuestMemory
import KVM
import LinuxSystem
private import Synchronization

/// The pages that processors write, from the kernel's rings, one for each processor.
///
/// A ring that is full brings its processor out of the guest; its own thread empties it then. What
/// was taken out of rings is kept here until it is collected. A page is put here before the kernel
/// protects it again, so a write is never forgotten.
final class DirtyRings: Sendable {
    /// 16384 entries of 16 bytes: a processor that writes as fast as it can leaves the guest for this
    /// some ten times in a second.
    private static let byteCount = 16_384 * 16

    private final class Ring: Sendable {
        let ring: Mutex<DirtyRing>
        /// Pages that its processor has written.
        let pageCount = Atomic<UInt64>(0)

        init(_ ring: consuming DirtyRing) {
            self.ring = Mutex(ring)
        }
    }

    private struct Counts {
        /// By processor, when the record was last collected.
        var total: [UInt64]
        /// Since the time before.
        var recent: [UInt64]
    }

    private let kernel: KernelMachine
    private let layouts: [RegionLayout]
    private let rings: [Ring]
    private let record: Mutex<PageSet>
    private let counts: Mutex<Counts>

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
        var rings: [Ring] = []
        for processor in processors {
            rings.append(
                Ring(
                    try processor.hardware.dirtyRing(byteCount: Self.size(on: kernel.machine))))
        }
        self.rings = rings
        record = Mutex(PageSet(layouts: memory.layouts))
        let zeros = [UInt64](repeating: 0, count: rings.count)
        counts = Mutex(Counts(total: zeros, recent: zeros))
        for (index, processor) in processors.enumerated() {
            processor.whenDirtyRingIsFull { [weak self] in self?.empty(index) }
        }
    }

    /// How many pages each processor has written between the last two collections.
    var recentPages: [UInt64] { counts.withLock { $0.recent } }

    /// Adds the pages that were written since the last call to `pages`, and forgets them.
    func collect(into pages: inout PageSet) throws(SystemError) {
        for ring in rings { drain(ring) }
        record.withLock { record in
            pages.formUnion(record)
            record.removeAll()
        }
        try kernel.machine.resetDirtyRings()
        let totals = rings.map { $0.pageCount.load(ordering: .relaxed) }
        counts.withLock { counts in
            counts.recent = zip(totals, counts.total).map { $0 &- $1 }
            counts.total = totals
        }
    }

    /// Forgets everything.
    func clear() throws(SystemError) {
        var dropped = PageSet(layouts: layouts)
        try collect(into: &dropped)
    }

    /// Makes room in one ring, on its processor's thread.
    private func empty(_ index: Int) {
        drain(rings[index])
        // If that fails the processor comes back at once, and whoever collects hears why.
        try? kernel.machine.resetDirtyRings()
    }

    private func drain(_ ring: Ring) {
        // Into the record while the ring is held: who collects after it has held the ring finds all.
        ring.ring.withLock { entries in
            record.withLock { record in
                var count: UInt64 = 0
                while let entry = entries.take() {
                    count += 1
                    guard let region = layouts.firstIndex(where: { $0.slot == entry.slot }),
                        let page = Int(exactly: entry.page), page < Int.max
                    else { continue }
                    record.insert(pages: page..<(page + 1), inRegion: region)
                }
                _ = ring.pageCount.add(count, ordering: .relaxed)
            }
        }
    }
}
