/// A set of 4 KiB pages of a guest's RAM, a bitmap for each region.
///
/// It is what travels between dirty tracking and sending: the kernel's log and the VMM's own
/// bitmap are merged into one, which is then walked as runs. It owns its words; a set for 64 GiB
/// takes 2 MiB. Sendable although it holds a pointer: it cannot be copied, so that whoever has it
/// is the only one who reaches the words.
@safe
public struct PageSet: ~Copyable, @unchecked Sendable {
    /// The regions, in the order of `GuestRAM.regions`.
    public let layouts: [RegionLayout]

    /// First word of each region, and one entry more for the end.
    let firstWord: [Int]

    /// SAFETY: allocated in `init`, freed in `deinit`, reached through checked indexes only.
    @unsafe let words: UnsafeMutableBufferPointer<UInt64>

    /// An empty set over these regions.
    public init(layouts: [RegionLayout]) {
        self.layouts = layouts
        var first = [0]
        for layout in layouts {
            let pages = Int(clamping: layout.size / trackedPageSize)
            first.append((first.last ?? 0) + (pages + 63) / 64)
        }
        firstWord = first
        unsafe words = UnsafeMutableBufferPointer.allocate(capacity: first.last ?? 0)
        unsafe words.initialize(repeating: 0)
    }

    deinit {
        unsafe words.deallocate()
    }

    /// The number of pages in region `index`.
    public func pageCount(ofRegion index: Int) -> Int {
        Int(clamping: layouts[index].size / trackedPageSize)
    }

    /// The number of pages in the set.
    public var count: Int {
        var total = 0
        for index in unsafe words.indices { total += unsafe words[index].nonzeroBitCount }
        return total
    }

    /// The bytes that the pages of the set hold.
    public var byteCount: UInt64 { UInt64(count) * trackedPageSize }

    /// Whether no page is in the set.
    public var isEmpty: Bool {
        for index in unsafe words.indices where unsafe words[index] != 0 { return false }
        return true
    }

    /// Takes all pages out.
    public mutating func removeAll() {
        unsafe words.update(repeating: 0)
    }

    /// Whether the page is in the set; false for one that the region does not have.
    public func contains(page: Int, inRegion index: Int) -> Bool {
        guard page >= 0, page < pageCount(ofRegion: index) else { return false }
        return unsafe words[firstWord[index] + page / 64] & (1 << UInt64(page % 64)) != 0
    }

    /// Adds pages of one region; pages that the region does not have are left out.
    public mutating func insert(pages: Range<Int>, inRegion index: Int) {
        update(pages.clamped(to: 0..<pageCount(ofRegion: index)), inRegion: index) { $0 | $1 }
    }

    /// Takes pages of one region out.
    public mutating func remove(pages: Range<Int>, inRegion index: Int) {
        update(pages.clamped(to: 0..<pageCount(ofRegion: index)), inRegion: index) { $0 & ~$1 }
    }

    /// Adds every page of every region.
    public mutating func insertAll() {
        for index in layouts.indices {
            insert(pages: 0..<pageCount(ofRegion: index), inRegion: index)
        }
    }

    /// Adds all pages of another set over the same regions.
    public mutating func formUnion(_ other: borrowing PageSet) {
        precondition(other.layouts == layouts, "sets over different memory")
        for index in unsafe words.indices {
            unsafe words[index] |= other.words[index]
        }
    }

    /// Adds the pages whose bits are set in a kernel's dirty log of one region.
    ///
    /// - Parameter log: a bit for each page, lowest first, as `KVM_GET_DIRTY_LOG` writes them;
    ///   words beyond the region are ignored.
    public mutating func merge(_ log: Span<UInt64>, intoRegion index: Int) {
        let first = firstWord[index]
        let count = min(log.count, firstWord[index + 1] - first)
        for word in 0..<count where log[word] != 0 {
            unsafe words[first + word] |= log[word]
        }
        trimTail(ofRegion: index)
    }

    /// Copies the bits of 64 pages each, as a kernel takes them.
    ///
    /// - Parameters:
    ///   - words: counted from the start of the region; what the region does not have is left out.
    ///   - bits: has the bits afterwards.
    public func copyBits(words wanted: Range<Int>, ofRegion index: Int, into bits: inout [UInt64]) {
        bits.removeAll(keepingCapacity: true)
        let first = firstWord[index]
        for word in wanted.clamped(to: 0..<(firstWord[index + 1] - first)) {
            bits.append(unsafe words[first + word])
        }
    }

    /// Bits after the last page of a region would be pages that do not exist.
    private mutating func trimTail(ofRegion index: Int) {
        let tail = pageCount(ofRegion: index) % 64
        guard tail != 0 else { return }
        unsafe words[firstWord[index + 1] - 1] &= (1 << UInt64(tail)) - 1
    }

    @inline(__always)
    private mutating func update(
        _ pages: Range<Int>, inRegion index: Int, _ combine: (UInt64, UInt64) -> UInt64
    ) {
        var page = pages.lowerBound
        while page < pages.upperBound {
            let bit = page % 64
            let run = min(64 - bit, pages.upperBound - page)
            let mask = (run == 64 ? ~0 : (UInt64(1) << UInt64(run)) - 1) << UInt64(bit)
            let word = firstWord[index] + page / 64
            unsafe words[word] = combine(unsafe words[word], mask)
            page += run
        }
    }
}
