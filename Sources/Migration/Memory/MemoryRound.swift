import GuestMemory
import Synchronization

/// A part of a guest's memory: neighbouring pages of one region.
struct MemoryPart: Equatable {
    /// The region's place in `GuestRAM.regions`.
    var region: Int
    /// The pages, counted from the start of the region.
    var pages: Range<Int>
}

/// The pages of one round of pre-copy, shared by all that send them.
///
/// Each takes the next part when it is done with the one before, so that nobody idles before the
/// round is nearly over, whatever lies where and however fast each connection is.
final class MemoryRound: Sendable {
    /// Pages in a part: small, so that at the end of a round nobody waits long for the last one.
    private static let pagesPerPart = 16...1024

    /// Parts that memory has for each that sends, at least.
    private static let partsPerSender = 8

    /// The pages that are to be sent. They do not change.
    let pages: PageSet

    private let partPages: Int
    private let partCount: Int
    private let next = Atomic(0)

    /// A round of which nothing was taken.
    ///
    /// - Parameter senderCount: how many will send it.
    init(_ pages: consuming PageSet, senderCount: Int) {
        let counts = pages.layouts.indices.map { pages.pageCount(ofRegion: $0) }
        let wanted = counts.reduce(0, +) / (max(senderCount, 1) * Self.partsPerSender)
        let partPages = min(
            max(wanted, Self.pagesPerPart.lowerBound), Self.pagesPerPart.upperBound)
        self.partPages = partPages
        partCount = counts.reduce(0) { $0 + ($1 + partPages - 1) / partPages }
        self.pages = pages
    }

    /// Takes the next part that nobody has taken, which may have no page of the set; nil when all
    /// are taken.
    func takePart() -> MemoryPart? {
        var number = next.add(1, ordering: .relaxed).oldValue
        guard number < partCount else { return nil }
        for region in pages.layouts.indices {
            let pageCount = pages.pageCount(ofRegion: region)
            let parts = (pageCount + partPages - 1) / partPages
            if number < parts {
                let start = number * partPages
                return MemoryPart(
                    region: region, pages: start..<min(start + partPages, pageCount))
            }
            number -= parts
        }
        return nil
    }

    /// Leaves nothing to take.
    func stop() {
        next.store(partCount, ordering: .relaxed)
    }
}
