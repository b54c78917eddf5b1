import GuestMemory
import Testing

/// Two regions, the first with a number of pages that is no multiple of 64.
private let layouts = [
    RegionLayout(slot: 0, start: GuestAddress(0), size: 100 * 4096, fileOffset: 0),
    RegionLayout(slot: 1, start: GuestAddress(1 << 32), size: 200 * 4096, fileOffset: 100 * 4096),
]

@Suite struct PageSetTests {
    @Test func aFreshSetIsEmpty() {
        let set = PageSet(layouts: layouts)
        #expect(set.isEmpty == true)
        #expect(set.nextRun(from: 0, inRegion: 0) == nil)
    }

    @Test(arguments: [0..<1, 0..<64, 63..<65, 5..<99, 64..<100, 99..<100, 0..<100])
    func aRunIsFoundAsItWasInserted(pages: Range<Int>) {
        var set = PageSet(layouts: layouts)
        set.insert(pages: pages, inRegion: 0)
        #expect(set.nextRun(from: 0, inRegion: 0) == pages)
        #expect(set.nextRun(from: pages.upperBound, inRegion: 0) == nil)
        #expect(set.count == pages.count)
        #expect(set.nextRun(from: 0, inRegion: 1) == nil)
    }

    @Test func aLimitCutsRunsWithoutLosingTheRest() {
        var set = PageSet(layouts: layouts)
        set.insert(pages: 10..<30, inRegion: 1)
        #expect(set.nextRun(from: 0, inRegion: 1, limit: 8) == 10..<18)
        #expect(set.nextRun(from: 18, inRegion: 1, limit: 8) == 18..<26)
        #expect(set.nextRun(from: 26, inRegion: 1, limit: 8) == 26..<30)
    }

    @Test func aWalkGivesEveryPageOnce() {
        var set = PageSet(layouts: layouts)
        var random = SystemRandomNumberGenerator()
        var expected: Set<Int> = []
        for _ in 0..<150 {
            let page = Int.random(in: 0..<200, using: &random)
            expected.insert(page)
            set.insert(pages: page..<(page + 1), inRegion: 1)
        }
        var seen: Set<Int> = []
        var next = 0
        while let run = set.nextRun(from: next, inRegion: 1) {
            for page in run { #expect(seen.insert(page).inserted) }
            next = run.upperBound
        }
        #expect(seen == expected)
        #expect(set.count == expected.count)
    }

    @Test func pagesBeyondTheRegionAreLeftOut() {
        var set = PageSet(layouts: layouts)
        set.insert(pages: 90..<500, inRegion: 0)
        #expect(set.nextRun(from: 0, inRegion: 0) == 90..<100)
        #expect(set.count == 10)
    }

    @Test func bitsOfAKernelLogBeyondTheRegionAreLeftOut() {
        var set = PageSet(layouts: layouts)
        let log: [UInt64] = [0, ~0, ~0]
        set.merge(log.span, intoRegion: 0)
        #expect(set.nextRun(from: 0, inRegion: 0) == 64..<100)
        #expect(set.count == 36)
    }

    @Test func aRangeTouchesWholePagesInEachRegion() {
        var set = PageSet(layouts: layouts)
        let range = GuestRange(start: GuestAddress(4095), length: 2)
        if let range { set.insert(range) }
        #expect(set.nextRun(from: 0, inRegion: 0) == 0..<2)
        #expect(set.range(of: 1..<3, inRegion: 1)?.start == GuestAddress((1 << 32) + 4096))
    }

    @Test func removedPagesAreGone() {
        var set = PageSet(layouts: layouts)
        set.insertAll()
        #expect(set.byteCount == 300 * 4096)
        set.remove(pages: 1..<99, inRegion: 0)
        #expect(set.nextRun(from: 0, inRegion: 0) == 0..<1)
        #expect(set.nextRun(from: 1, inRegion: 0) == 99..<100)
    }

    @Test func onlyNewPagesAreCollected() {
        let growing = GrowingPageSet(layouts: layouts)
        var known = PageSet(layouts: layouts)
        var fresh = PageSet(layouts: layouts)
        for page in [3, 4, 70] as [UInt64] {
            if let range = GuestRange(start: GuestAddress(page * 4096), length: 4096) {
                growing.insert(range)
            }
        }
        known.insert(pages: 4..<5, inRegion: 0)
        growing.collect(into: &fresh, except: known)
        #expect(fresh.nextRun(from: 0, inRegion: 0) == 3..<4)
        #expect(fresh.nextRun(from: 4, inRegion: 0) == 70..<71)
        #expect(fresh.count == 2)
    }

    @Test func aUnionHoldsBoth() {
        var left = PageSet(layouts: layouts)
        var right = PageSet(layouts: layouts)
        left.insert(pages: 0..<4, inRegion: 0)
        right.insert(pages: 4..<8, inRegion: 0)
        left.formUnion(right)
        #expect(left.nextRun(from: 0, inRegion: 0) == 0..<8)
    }
}
