import Glibc
import GuestMemory
import LinuxSystem
import Machine

/// The scan for pages of zeros in relation to memcpy of the same memory, page by page, and to
/// reading it without looking, in the same run. The memory is larger than any cache, and all zeros,
/// so that no page ends the scan early.
struct ZeroScanBenchmark {
    private static let byteCount: UInt64 = 256 << 20
    private static let rounds = 9

    /// Reading and scanning take turns, a slice each, on this thread's own time, so that what else
    /// the machine does meanwhile slows both alike; they are half of the memory apart, so that
    /// neither finds what the other has just brought into the cache.
    private static let slices = 16

    func run(in lab: borrowing Lab) throws -> [Figure] {
        let layout = PhysicalLayout.regions(memorySize: Self.byteCount)
        let memory = try GuestRAM(layout: layout, backing: .sharedFile(hugePages: nil))
        let copy = try GuestRAM(layout: layout, backing: .sharedFile(hugePages: nil))
        try memory.populate()
        try copy.populate()
        let source = memory.regions[0].segment
        let target = copy.regions[0].segment
        var ratios: [Double] = []
        var rates: [Double] = []
        for _ in 0..<Self.rounds {
            let copied = bytesPerSecond { copyPages(from: source, to: target) }
            var count = 0
            let scanned = bytesPerSecond { count = zeroPages(of: source) }
            guard count == source.count / Int(trackedPageSize) else {
                throw BenchmarkError.unexpected("The scan found other pages than zeros")
            }
            rates.append(scanned / 1e9)
            ratios.append(scanned / copied)
        }
        lab.note("zero-scan: \(decimal(median(rates))) GB/s")
        return [
            Figure("zero_scan_to_memcpy", ratios, "ratio", .atLeast(1)),
            Figure(
                "zero_scan_to_read", (0..<Self.rounds).map { _ in scanToRead(source) }, "ratio",
                .atLeast(0.8)),
        ]
    }

    /// The rate of the scan in relation to that at which this core reads the same memory.
    private func scanToRead(_ memory: MemorySegment) -> Double {
        let length = memory.count / Self.slices
        var readNanoseconds: UInt64 = 0
        var scanNanoseconds: UInt64 = 0
        for slice in 0..<Self.slices {
            let other = (slice + Self.slices / 2) % Self.slices
            guard let read = memory.part(offset: slice * length, length: length),
                let scanned = memory.part(offset: other * length, length: length)
            else { return 0 }
            let start = threadNanoseconds
            let isZero = readAll(read) == 0
            let middle = threadNanoseconds
            let count = zeroPages(of: scanned)
            scanNanoseconds += threadNanoseconds - middle
            readNanoseconds += middle - start
            guard isZero, count == length / Int(trackedPageSize) else { return 0 }
        }
        return Double(readNanoseconds) / Double(max(1, scanNanoseconds))
    }

    /// How long this thread has had a processor.
    private var threadNanoseconds: UInt64 {
        var time = timespec()
        // SAFETY: the kernel writes into the local within the call.
        _ = unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(clamping: time.tv_sec) * 1_000_000_000 + UInt64(clamping: time.tv_nsec)
    }

    /// Reads every byte with as little else as possible: four vectors at a time, one `or` each.
    @inline(never)
    private func readAll(_ memory: MemorySegment) -> UInt64 {
        typealias Vector = SIMD8<UInt64>
        let size = MemoryLayout<Vector>.size
        var a = Vector.zero
        var b = Vector.zero
        var c = Vector.zero
        var d = Vector.zero
        for offset in stride(from: 0, to: memory.count - 4 * size + 1, by: 4 * size) {
            // SAFETY: every load ends inside the segment, whose mapping outlives the loop.
            let base = unsafe memory.baseAddress + offset
            a |= unsafe base.loadUnaligned(as: Vector.self)
            b |= unsafe base.loadUnaligned(fromByteOffset: size, as: Vector.self)
            c |= unsafe base.loadUnaligned(fromByteOffset: 2 * size, as: Vector.self)
            d |= unsafe base.loadUnaligned(fromByteOffset: 3 * size, as: Vector.self)
        }
        let all = (a | b) | (c | d)
        return all.indices.reduce(0) { $0 | all[$1] }
    }

    private func bytesPerSecond(_ work: () -> Void) -> Double {
        let start = MonotonicInstant.now
        work()
        let nanoseconds = MonotonicInstant.now.nanoseconds(since: start)
        return Double(Self.byteCount) * 1e9 / Double(max(1, nanoseconds))
    }

    @inline(never)
    private func zeroPages(of memory: MemorySegment) -> Int {
        let size = Int(trackedPageSize)
        var count = 0
        for offset in stride(from: 0, to: memory.count, by: size) {
            if memory.part(offset: offset, length: size)?.isZero == true { count += 1 }
        }
        return count
    }

    @inline(never)
    private func copyPages(from source: MemorySegment, to target: MemorySegment) {
        let size = Int(trackedPageSize)
        for offset in stride(from: 0, to: source.count, by: size) {
            guard let page = source.part(offset: offset, length: size),
                let place = target.part(offset: offset, length: size)
            else { return }
            // SAFETY: both are inside mappings that outlive the loop, and apart from each other.
            unsafe memcpy(place.baseAddress, page.baseAddress, size)
        }
    }
}
