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
    private var random: UInt64
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
            let area = memory.allocate(pages * Self.pageSize, high: share % 2 == shares % 2)
        else { return nil }
        start = area
        generations = pointer(table, to: UInt32.self)
        pattern = options.pattern
        self.processor = processor
        self.reporter = reporter
        pace = Pace(
            rate: options.rate.map { max($0 / UInt64(shares), 1) }, clock: clock,
            catchUp: Self.catchUp)
        random = mixed(UInt64(share) &+ 1)
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
        // Without this look a page that became old would be covered up by the write.
        if generation > 0 { check(address, generation) }
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
            return nextRandom() % pages
        case .hot:
            let number = nextRandom()
            return number >> 60 != 0 ? number % hotPages : number % pages
        }
    }

    private func nextRandom() -> UInt64 {
        random ^= random << 13
        random ^= random >> 7
        random ^= random << 17
        return random
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

/// 64 bytes that say where they belong, how old they are and who wrote them.
enum Stamp {
    /// How many places for stamps a page has.
    static let places: UInt32 = 4
    private static let words = 8

    /// Where in its page a generation is stamped: at 0, 1344, 2688 or in the last 64 bytes.
    @inline(__always)
    static func place(_ address: UInt64, _ generation: UInt32) -> UInt64 {
        address + UInt64(generation % places) * 1344
    }

    @inline(__always)
    static func write(
        to place: UInt64, address: UInt64, generation: UInt32, processor: Int
    ) {
        let words = pointer(place, to: UInt64.self)
        for index in 0..<Self.words {
            words[index] = word(index, address, generation, processor)
        }
    }

    @inline(__always)
    static func matches(
        at place: UInt64, address: UInt64, generation: UInt32, processor: Int
    ) -> Bool {
        let words = pointer(place, to: UInt64.self)
        var difference: UInt64 = 0
        for index in 0..<Self.words {
            difference |= words[index] ^ word(index, address, generation, processor)
        }
        return difference == 0
    }

    /// Address, generation, vCPU, and five words of a checksum over them, all different.
    @inline(__always)
    private static func word(
        _ index: Int, _ address: UInt64, _ generation: UInt32, _ processor: Int
    ) -> UInt64 {
        switch index {
        case 0: address
        case 1: UInt64(generation)
        case 2: UInt64(processor)
        default:
            (address ^ UInt64(generation) << 40 ^ UInt64(processor) << 32 ^ UInt64(index))
                &* 0x9e37_79b9_7f4a_7c15
        }
    }
}

/// Spreads operations evenly over time.
struct Pace {
    private let rate: UInt64?
    private let kilohertz: UInt64
    private let catchUp: UInt64
    private var last: UInt64
    /// Operations due, times cycles per second.
    private var credit: UInt64 = 0

    /// - Parameters:
    ///   - rate: operations per second; nil: no limit.
    ///   - catchUp: how much lost time is made up for, in milliseconds.
    init(rate: UInt64?, clock: Clock, catchUp: UInt64) {
        self.rate = rate
        kilohertz = clock.kilohertz
        self.catchUp = catchUp &* clock.kilohertz
        last = clock.now
    }

    /// How many operations are due, at most `limit`; they count as done.
    mutating func due(at now: UInt64, limit: UInt64) -> UInt64 {
        guard let rate else { return limit }
        let passed = now > last ? min(now - last, catchUp) : 0
        last = now
        let price = kilohertz &* 1000
        credit = min(credit &+ passed &* rate, catchUp &* rate)
        let count = min(credit / price, limit)
        credit -= count * price
        return count
    }
}

/// A number that looks random, from any number (the finalizer of splitmix64).
@inline(__always)
func mixed(_ value: UInt64) -> UInt64 {
    var z = value &+ 0x9e37_79b9_7f4a_7c15
    z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
    return z ^ z >> 31
}
