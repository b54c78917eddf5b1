internal import Synchronization

/// The VMM's own record of pages that device emulation wrote: KVM's log sees only the vCPUs.
///
/// Any thread marks; one collects. A writer marks *after* its bytes are written, and a collector
/// clears *before* it reads the page, so a page is never read old and forgotten: at worst it is
/// sent twice. Marking is one locked `or`, also when nobody collects, because a test of the bit
/// first could pass an older store of the data. Sendable although it holds a pointer: it cannot be
/// copied, the pointer never changes, and what it points to is atomic.
@safe
struct DirtyBitmap: ~Copyable, @unchecked Sendable {
    // SAFETY: allocated in `init`, freed in `deinit`; every element is atomic.
    @unsafe private let words: UnsafeMutablePointer<Atomic<UInt64>>
    let wordCount: Int

    init(pages: Int) {
        wordCount = (pages + 63) / 64
        unsafe words = UnsafeMutablePointer.allocate(capacity: wordCount)
        for index in 0..<wordCount {
            unsafe (words + index).initialize(to: Atomic(0))
        }
    }

    deinit {
        unsafe words.deinitialize(count: wordCount)
        unsafe words.deallocate()
    }

    /// Marks pages; the caller has checked that the region has them.
    @inline(__always)
    borrowing func mark(_ pages: Range<Int>) {
        var page = pages.lowerBound
        while page < pages.upperBound {
            let bit = page % 64
            let run = min(64 - bit, pages.upperBound - page)
            let mask = (run == 64 ? ~0 : (UInt64(1) << UInt64(run)) - 1) << UInt64(bit)
            _ = unsafe words[page / 64].bitwiseOr(mask, ordering: .sequentiallyConsistent)
            page += run
        }
    }

    /// Whether a page is marked; the caller has checked that there is one.
    @inline(__always)
    borrowing func isMarked(_ page: Int) -> Bool {
        let word = unsafe words[page / 64].load(ordering: .sequentiallyConsistent)
        return word & (1 << UInt64(page % 64)) != 0
    }

    /// The marks of 64 pages.
    @inline(__always)
    borrowing func marks(word index: Int) -> UInt64 {
        unsafe words[index].load(ordering: .relaxed)
    }

    /// Clears marks; the caller has checked that the region has the pages, and reads them afterwards.
    @inline(__always)
    borrowing func clear(_ pages: Range<Int>) {
        var page = pages.lowerBound
        while page < pages.upperBound {
            let bit = page % 64
            let run = min(64 - bit, pages.upperBound - page)
            let mask = (run == 64 ? ~0 : (UInt64(1) << UInt64(run)) - 1) << UInt64(bit)
            if unsafe words[page / 64].load(ordering: .relaxed) & mask != 0 {
                _ = unsafe words[page / 64].bitwiseAnd(~mask, ordering: .sequentiallyConsistent)
            }
            page += run
        }
    }

    /// Takes the marks of 64 pages.
    @inline(__always)
    borrowing func take(word index: Int) -> UInt64 {
        guard unsafe words[index].load(ordering: .relaxed) != 0 else { return 0 }
        return unsafe words[index].exchange(0, ordering: .sequentiallyConsistent)
    }
}
