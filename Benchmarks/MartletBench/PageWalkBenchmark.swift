import GuestMemory
import LinuxSystem

/// The walk over the runs of a set of pages of a 64 GiB guest, in relation to counting its pages,
/// which looks at every word once and does nothing else.
///
/// The goals are of this project: a walk at this rate takes less than a fiftieth of the time that
/// sending the pages takes.
struct PageWalkBenchmark {
    private static let layout = RegionLayout(
        slot: 0, start: GuestAddress(4 << 30), size: 64 << 30, fileOffset: 0)
    private static let rounds = 9

    func run(in lab: borrowing Lab) throws -> [Figure] {
        [
            try measure("page_walk_1_percent", oneIn: 100, goal: 15, in: lab),
            try measure("page_walk_10_percent", oneIn: 10, goal: 40, in: lab),
        ]
    }

    /// - Parameter oneIn: one page in so many is in the set, at places without order.
    private func measure(
        _ name: String, oneIn: UInt64, goal: Double, in lab: borrowing Lab
    ) throws -> Figure {
        var pages = PageSet(layouts: [Self.layout])
        var state: UInt64 = 0x9e37_79b9_7f4a_7c15
        for page in 0..<pages.pageCount(ofRegion: 0) {
            // xorshift64: fast, and the same in every run.
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            if state % oneIn == 0 { pages.insert(pages: page..<(page + 1), inRegion: 0) }
        }
        var ratios: [Double] = []
        var times: [Double] = []
        for _ in 0..<Self.rounds {
            var counted = 0
            var walked = 0
            let counting = nanoseconds { counted = pages.count }
            let walking = nanoseconds { walked = walk(pages) }
            guard counted == walked else {
                throw BenchmarkError.unexpected("The walk found \(walked) of \(counted) pages")
            }
            times.append(walking / 1000)
            ratios.append(walking / max(1, counting))
        }
        lab.note("\(name): \(decimal(median(times))) us for 64 GiB")
        return Figure(name, ratios, "counts", .atMost(goal))
    }

    private func nanoseconds(_ work: () -> Void) -> Double {
        let start = MonotonicInstant.now
        work()
        return Double(MonotonicInstant.now.nanoseconds(since: start))
    }

    @inline(never)
    private func walk(_ pages: borrowing PageSet) -> Int {
        var count = 0
        var next = 0
        while let run = pages.nextRun(from: next, inRegion: 0) {
            count += run.count
            next = run.upperBound
        }
        return count
    }
}
