import Intrinsics

/// One vCPU's part of `memory=`: dirties its own pages and verifies them.
///
/// A page has four places for stamps, one of them its last bytes; a write goes to the next one in
/// turn. The number of writes to each page is kept outside of the pages, so that a page which
/// became old as a whole is found as surely as one that was damaged.
final class MemoryWorkload {
    private static let pageSize: UInt64 = 4096
    /// Every fourth write is accompanied by the verification of one page, in address order.
    private static let writesPerVerification: UInt64 = 4
    /// Time lost in a pause is not made up for beyond this, in milliseconds.
    private static let catchUp: UInt64 = 20

    let writes = Counter()
    let verified = Counter()
    /// How often all pages were verified.
    let passes = Counter()

    private let start: UInt64
    private let pages: UInt64
    private let hotPages: UInt64
    private let generations: UnsafeMutablePointer<UInt32>
    private let pattern: MemoryOptions.Pattern
    private let processor: Processor
    private let reporter: Reporter
    private var pace: Pace
    private var random: Random
    private var nextWrite: UInt64 = 0
    private var nextVerification: UInt64 = 0

    /// Nil: no memory.
    init?(
        _ options: MemoryOptions, share: Int, of shares: Int, processor: Processor, clock: Clock,
        memory: PhysicalMemory, reporter: Reporter
    ) {
        pages = max(options.size / Self.pageSize / UInt64(shares), 1)
        hotPages = min(max(options.hot / Self.pageSize / UInt64(shares), 1), pages)
        guard let table = memory.allocateZeroed(pages * 4),
            // Parts lie at both ends of memory, so that a large guest has some above 4 GiB.
            let area = memory.allocate(pages * Self.pageSize, high: share % 2 == 1)
        else { return nil }
        start = area
        generations = pointer(table, to: UInt32.self)
        pattern = options.pattern
        self.processor = processor
        self.reporter = reporter
        pace = Pace(
            rate: options.rate.map { max($0 / UInt64(shares), 1) }, clock: clock,
            catchUp: Self.catchUp)
        random = Random(seed: UInt64(share) + 1)
    }

    /// Does a slice of work. False: nothing is due.
    func step() -> Bool {
        let due = pace.due(at: processor.observe(), limit: 32)
        for _ in 0..<due {
            write()
            if writes.value % Self.writesPerVerification == 0 { verifyNext() }
            processor.observe()
        }
        return due > 0
    }

    /// Verifies up to `count` pages from `first` on. Returns how many.
    func verify(from first: UInt64, count: UInt64) -> UInt64 {
        let end = min(first + count, pages)
        guard first < end else { return 0 }
        for page in first..<end {
            verify(page)
            processor.observe()
        }
        return end - first
    }

    private func write() {
        let page = nextPage()
        let address = start + page * Self.pageSize
        let generation = generations[Int(page)]
        // Without these looks the write could cover up a page that became old or was damaged.
        if generation > 0 { check(address, generation) }
        if generation >= Stamp.places { check(address, generation &+ 1 &- Stamp.places) }
        Stamp.write(
            to: Stamp.place(address, generation &+ 1), address: address,
            generation: generation &+ 1, processor: processor.index)
        generations[Int(page)] = generation &+ 1
        writes.add(1)
    }

    private func nextPage() -> UInt64 {
        switch pattern {
        case .sequential:
            nextWrite = nextWrite + 1 < pages ? nextWrite + 1 : 0
            return nextWrite
        case .random:
            return random.next() % pages
        case .hot:
            let number = random.next()
            return number >> 60 != 0 ? number % hotPages : number % pages
        }
    }

    private func verifyNext() {
        verify(nextVerification)
        nextVerification += 1
        if nextVerification == pages {
            nextVerification = 0
            passes.add(1)
        }
    }

    /// Checks all stamps of a page: that of the last write and those before it.
    private func verify(_ page: UInt64) {
        let generation = generations[Int(page)]
        let oldest = generation > Stamp.places ? generation - Stamp.places + 1 : 1
        if generation >= oldest {
            for expected in oldest...generation {
                check(start + page * Self.pageSize, expected)
            }
        }
        verified.add(1)
    }

    @inline(__always)
    private func check(_ address: UInt64, _ generation: UInt32) {
        let place = Stamp.place(address, generation)
        if !Stamp.matches(
            at: place, address: address, generation: generation, processor: processor.index)
        {
            reporter.memoryError(
                address: place, expected: UInt64(generation),
                found: pointer(place, to: UInt64.self)[1], processor: processor.index)
        }
    }
}
