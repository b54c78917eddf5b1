extension PageSet {
    /// The first run of pages of the set at or after `page` in one region.
    ///
    /// The walk of a whole region is a loop that goes on from the end of the run before; it costs
    /// one look at each word and one count of bits for each run.
    ///
    /// - Parameters:
    ///   - page: where to begin.
    ///   - index: the region.
    ///   - limit: the longest run that is wanted, at least 1; the rest is found by the next call.
    /// - Returns: the pages, or nil when none is left.
    public func nextRun(from page: Int, inRegion index: Int, limit: Int = .max) -> Range<Int>? {
        let first = firstWord[index]
        let count = firstWord[index + 1] &- first
        guard page >= 0 else { return nil }
        var word = page &>> 6
        guard word < count else { return nil }
        // SAFETY: `first` and `count` are a region's own words, and `word` stays below `count`.
        guard let region = unsafe words.baseAddress.map({ unsafe $0 + first }) else { return nil }
        var bits = unsafe region[word] & (~0 &<< UInt64(truncatingIfNeeded: page))
        while bits == 0 {
            word &+= 1
            guard word < count else { return nil }
            bits = unsafe region[word]
        }
        let start = word &<< 6 | bits.trailingZeroBitCount
        // The run ends where the first bit is clear from here on; after the last page all are.
        bits = unsafe ~region[word] & (~0 &<< UInt64(truncatingIfNeeded: start))
        while bits == 0 {
            word &+= 1
            guard word < count else { break }
            bits = unsafe ~region[word]
        }
        let end = word < count ? word &<< 6 | bits.trailingZeroBitCount : count &<< 6
        return start..<(start &+ min(end &- start, max(limit, 1)))
    }

    /// The guest addresses of a run of pages in one region.
    public func range(of pages: Range<Int>, inRegion index: Int) -> GuestRange? {
        guard
            let start = layouts[index].start.advanced(
                by: UInt64(clamping: pages.lowerBound) * trackedPageSize)
        else { return nil }
        return GuestRange(start: start, length: UInt64(pages.count) * trackedPageSize)
    }

    /// Adds the pages that a guest range touches; what lies outside RAM is left out.
    public mutating func insert(_ range: GuestRange) {
        for index in layouts.indices {
            guard let region = layouts[index].range else { continue }
            let low = max(range.start, region.start)
            let high = min(range.end, region.end)
            guard low < high else { continue }
            let first = Int((low.rawValue - region.start.rawValue) / trackedPageSize)
            let last = Int((high.rawValue - 1 - region.start.rawValue) / trackedPageSize)
            insert(pages: first..<(last + 1), inRegion: index)
        }
    }
}
