import Glibc
import GuestMemory
import LinuxSystem
import Machine

/// The scan for pages of zeros in relation to memcpy of the same memory, page by page, in the same
/// run. The memory is larger than any cache, and all zeros, so that no page ends the scan early.
struct ZeroScanBenchmark {
    private static let byteCount: UInt64 = 256 << 20
    private static let rounds = 9

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
        return [Figure("zero_scan_to_memcpy", ratios, "ratio", .atLeast(1))]
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
