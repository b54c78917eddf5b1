import Intrinsics

/// `fill=`: gives every free page contents that do not compress, once, with all vCPUs.
///
/// The contents follow from the address, so that they can be verified without a copy.
final class FillWorkload {
    private static let pageSize: UInt64 = 4096
    /// What a vCPU takes at a time, in pages.
    private static let chunk: UInt64 = 256

    let pages: UInt64
    private var regions = [16 of PhysicalMemory.Region](
        repeating: PhysicalMemory.Region(start: 0, end: 0))
    private let regionCount: Int
    private let nextChunk = Counter()
    private let finished = Counter()
    private let reporter: Reporter

    init(_ options: FillOptions, memory: PhysicalMemory, reporter: Reporter) {
        self.reporter = reporter
        var left = options.size ?? UInt64.max
        var pages: UInt64 = 0
        regionCount = memory.regionCount
        for index in 0..<memory.regionCount {
            let region = memory.regions[index]
            let bytes = min(region.size, left) & ~(Self.pageSize - 1)
            regions[index] = PhysicalMemory.Region(start: region.start, end: region.start + bytes)
            left -= bytes
            pages += bytes / Self.pageSize
        }
        self.pages = pages
    }

    /// Whether every page has its contents.
    var isFilled: Bool { finished.value == pages }

    /// The pages that one vCPU is busy with.
    struct Share {
        fileprivate var next: UInt64 = 0
        fileprivate var end: UInt64 = 0
    }

    /// Fills a few pages. False: nothing is left to take.
    func step(_ share: inout Share, _ processor: Processor) -> Bool {
        guard take(&share, from: nextChunk) else { return false }
        for _ in 0..<4 where share.next < share.end {
            fill(pageAddress(share.next))
            share.next += 1
            processor.observe()
            if finished.addShared(1) + 1 == pages { reporter.filled(pages) }
        }
        return true
    }

    /// Verifies a few pages. False: nothing is left to take from `cursor`.
    func verifyStep(
        _ share: inout Share, from cursor: Counter, done: Counter, _ processor: Processor
    ) -> Bool {
        guard take(&share, from: cursor) else { return false }
        for _ in 0..<4 where share.next < share.end {
            verify(pageAddress(share.next), processor)
            share.next += 1
            processor.observe()
            done.addShared(1)
        }
        return true
    }

    private func take(_ share: inout Share, from cursor: Counter) -> Bool {
        if share.next < share.end { return true }
        guard cursor.value * Self.chunk < pages else { return false }
        let first = cursor.addShared(1) * Self.chunk
        guard first < pages else { return false }
        share = Share(next: first, end: min(first + Self.chunk, pages))
        return true
    }

    /// The address of the n-th page over all regions.
    private func pageAddress(_ number: UInt64) -> UInt64 {
        var rest = number * Self.pageSize
        for index in 0..<regionCount {
            if rest < regions[index].size { return regions[index].start + rest }
            rest -= regions[index].size
        }
        return regions[0].start
    }

    private func fill(_ address: UInt64) {
        let words = pointer(address, to: UInt64.self)
        for index in 0..<512 { words[index] = mixed(address &+ UInt64(index)) }
    }

    private func verify(_ address: UInt64, _ processor: Processor) {
        let words = pointer(address, to: UInt64.self)
        for index in 0..<512 where words[index] != mixed(address &+ UInt64(index)) {
            reporter.memoryError(
                address: address + UInt64(index) * 8, expected: mixed(address &+ UInt64(index)),
                found: words[index], processor: processor.index)
            return
        }
    }
}
