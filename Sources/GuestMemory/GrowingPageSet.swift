/// A set of 4 KiB pages of a guest's RAM to which any thread adds and from which nobody takes.
///
/// The memory connections of a destination note in it what they wrote: all other pages are still
/// zero as they were made.
public final class GrowingPageSet: Sendable {
    private let layouts: [RegionLayout]
    private let firstPage: [Int]
    private let bitmap: DirtyBitmap

    /// An empty set over these regions.
    public init(layouts: [RegionLayout]) {
        self.layouts = layouts
        var first = [0]
        for layout in layouts {
            let pages = Int(clamping: layout.size / trackedPageSize)
            // Words are not shared between regions, as in `PageSet`.
            first.append((first.last ?? 0) + (pages + 63) / 64 * 64)
        }
        firstPage = first
        bitmap = DirtyBitmap(pages: first.last ?? 0)
    }

    /// Adds the pages that a guest range touches; what lies outside RAM is left out.
    public func insert(_ range: GuestRange) {
        for index in layouts.indices {
            guard let region = layouts[index].range else { continue }
            let low = max(range.start, region.start)
            let high = min(range.end, region.end)
            guard low < high else { continue }
            let first = Int((low.rawValue - region.start.rawValue) / trackedPageSize)
            let last = Int((high.rawValue - 1 - region.start.rawValue) / trackedPageSize)
            bitmap.mark((firstPage[index] + first)..<(firstPage[index] + last + 1))
        }
    }

    /// Adds to `pages` all pages of this set which `known` lacks; all three are over the same
    /// regions.
    public func collect(into pages: inout PageSet, except known: borrowing PageSet) {
        precondition(
            pages.layouts == layouts && known.layouts == layouts, "sets over different memory")
        for word in unsafe known.words.indices {
            unsafe pages.words[word] |= bitmap.marks(word: word) & ~known.words[word]
        }
    }

    /// Whether the page is in the set; false for one that the region does not have.
    public func contains(page: Int, inRegion index: Int) -> Bool {
        guard page >= 0, page < Int(clamping: layouts[index].size / trackedPageSize) else {
            return false
        }
        return bitmap.isMarked(firstPage[index] + page)
    }
}
