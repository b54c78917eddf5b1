import ContentCoding
import GuestMemory
import LinuxSystem
import MigrationProtocol
import Synchronization
import Transport

/// Computes the digests of all guest memory (`MemoryDigest`), with a few threads.
///
/// The memory must not change meanwhile. Pages that were never touched are not read, so that they
/// stay untouched.
final class DigestWorkers<Outside: Network>: Sendable {
    /// The chunks, in the order of their digests.
    let chunks: [MemoryRange]

    private struct State {
        var digests: [UInt64?]
        var isEnded = false
    }

    private let memory: GuestRAM
    private let network: Outside
    private let populated: PageSet
    private let state: Mutex<State>
    private let next = Atomic(0)
    private let progress: EventDescriptor

    /// Threads at one end: a few read as fast as the memory of most hosts is.
    private static var threadCount: Int { 4 }

    /// Begins.
    init(_ memory: GuestRAM, _ network: Outside) throws(MigrationError) {
        self.memory = memory
        self.network = network
        let chunks = MemoryDigest.chunks(
            of: memory.layouts.map { MemoryRange(address: $0.start.rawValue, length: $0.size) })
        self.chunks = chunks
        var populated = PageSet(layouts: memory.layouts)
        for region in memory.regions {
            for range in region.populatedRanges() { populated.insert(range) }
        }
        self.populated = populated
        state = Mutex(State(digests: [UInt64?](repeating: nil, count: chunks.count)))
        do throws(SystemError) {
            progress = try EventDescriptor(name: "digests of memory")
            for number in 0..<min(Self.threadCount, chunks.count) {
                try network.spawn(.digest, "digest-\(number)") { [self] in work() }
            }
        } catch {
            throw .unsupported("Guest memory cannot be verified: \(error)")
        }
    }

    /// Waits for the digest of a chunk; nil when the deadline comes first.
    func digest(of index: Int, until end: MonotonicInstant) -> UInt64? {
        _ = network.wait(on: progress, until: end) { [self] in
            state.withLock { $0.digests[index] != nil || $0.isEnded }
        }
        return state.withLock { $0.digests[index] }
    }

    /// No digest is needed any more.
    func end() {
        state.withLock { $0.isEnded = true }
    }

    // MARK: - On the workers' threads

    private func work() {
        while !state.withLock({ $0.isEnded }) {
            let index = next.add(1, ordering: .relaxed).oldValue
            guard index < chunks.count else { return }
            let digest = computeDigest(of: chunks[index])
            state.withLock { $0.digests[index] = digest }
            progress.signal()
        }
    }

    private func computeDigest(of chunk: MemoryRange) -> UInt64 {
        guard let range = GuestRange(start: GuestAddress(chunk.address), length: chunk.length),
            let region = memory.regionIndex(holding: range)
        else { return 0 }
        let segment = memory.regions[region].segment
        let start = memory.regions[region].layout.start.rawValue
        let size = Int(trackedPageSize)
        let end = Int((chunk.address - start + chunk.length) / trackedPageSize)
        var digest: UInt64 = 0
        var page = Int((chunk.address - start) / trackedPageSize)
        while let run = populated.nextRun(from: page, inRegion: region), run.lowerBound < end {
            page = min(run.upperBound, end)
            for index in run.lowerBound..<page {
                guard let contents = segment.part(offset: index * size, length: size),
                    !contents.isZero
                else { continue }
                digest &+= contents.hash(seed: start + UInt64(index) * trackedPageSize)
            }
        }
        return digest
    }
}
