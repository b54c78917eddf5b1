import GuestMemory
import Machine
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
    /// A multiple of 64, as a kernel's record of written pages is forgotten.
    private static let pagesPerPart = 64...1024

    /// Parts that memory has for each that sends, at least.
    private static let partsPerSender = 8

    /// The pages that are to be sent. They do not change.
    let pages: PageSet

    private let partPages: Int
    private let partCount: Int
    private let next = Atomic(0)

    /// Parts that were taken and not sent to their end.
    private let unfinished = Mutex<[MemoryPart]>([])

    /// The first part that nobody may take any more; `partCount` while all may be taken.
    private let end: Mutex<Int>

    /// Called with each part that was taken, before any of its pages is read.
    let willSend: WillSend

    /// Forgets that pages of a part were written.
    typealias WillSend = @Sendable (MemoryPart, borrowing PageSet) throws(HardwareError) -> Void

    /// A round of which nothing was taken.
    ///
    /// - Parameters:
    ///   - senderCount: how many will send it.
    ///   - willSend: called with each part that was taken, before any of its pages is read.
    init(
        _ pages: consuming PageSet, senderCount: Int,
        willSend: @escaping WillSend = { (_, _) throws(HardwareError) in }
    ) {
        self.willSend = willSend
        let counts = pages.layouts.indices.map { pages.pageCount(ofRegion: $0) }
        let wanted = counts.reduce(0, +) / (max(senderCount, 1) * Self.partsPerSender)
        let partPages =
            min(max(wanted, Self.pagesPerPart.lowerBound), Self.pagesPerPart.upperBound) / 64 * 64
        self.partPages = partPages
        partCount = counts.reduce(0) { $0 + ($1 + partPages - 1) / partPages }
        end = Mutex(partCount)
        self.pages = pages
    }

    /// Takes the next part that nobody has taken, which may have no page of the set; nil when all
    /// are taken.
    func takePart() -> MemoryPart? {
        part(next.add(1, ordering: .relaxed).oldValue)
    }

    /// Takes the next part and prepares it for being sent; nil when all are taken.
    func beginPart() throws(MigrationError) -> MemoryPart? {
        guard let part = takePart() else { return nil }
        do throws(HardwareError) {
            try willSend(part, pages)
        } catch {
            throw .hardware(error)
        }
        return part
    }

    /// Leaves nothing to take.
    func stop() {
        let first = next.exchange(partCount, ordering: .relaxed)
        end.withLock { $0 = min($0, first) }
    }

    /// Notes that a part was taken and not all of it was sent.
    func leave(_ part: MemoryPart) {
        unfinished.withLock { $0.append(part) }
    }

    /// Adds what was left when the round was stopped, and perhaps a little more, to a set. Nobody
    /// sends the round any more.
    ///
    /// - Returns: whether all of the round was sent.
    func insertLeft(into set: inout PageSet) -> Bool {
        let first = end.withLock { $0 }
        var left = unfinished.withLock { $0 }
        if first < partCount { left += (first..<partCount).compactMap(part) }
        for part in left {
            var next = part.pages.lowerBound
            while let run = pages.nextRun(from: next, inRegion: part.region, limit: .max),
                run.lowerBound < part.pages.upperBound
            {
                set.insert(pages: run.clamped(to: part.pages), inRegion: part.region)
                next = run.upperBound
            }
        }
        return left.isEmpty
    }

    /// A part by its number; nil after the last.
    private func part(_ number: Int) -> MemoryPart? {
        guard number < partCount else { return nil }
        var number = number
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
}
