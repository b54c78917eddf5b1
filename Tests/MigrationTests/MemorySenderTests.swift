import GuestMemory
import LinuxSystem
import MigrationProtocol
import Testing

@testable import Migration

@Suite struct MemorySenderTests {
    /// Two regions that touch, of 8 and 4 pages.
    private static let layout = [
        RegionLayout(slot: 0, start: GuestAddress(0), size: 8 * 4096, fileOffset: 0),
        RegionLayout(slot: 1, start: GuestAddress(8 * 4096), size: 4 * 4096, fileOffset: 8 * 4096),
    ]

    /// Collects what would be sent.
    private final class Sink: MemorySink {
        var isMemoryWanted: Bool { wantedBatches > batches.count }
        var wantedBatches = Int.max
        var contents: [MemoryRange] = []
        var zeros: [MemoryRange] = []
        var batches: [UInt64] = []
        /// Batches that were begun and not finished.
        var open = 0
        let batchBytes: UInt64

        init(batchBytes: UInt64 = 4 << 20) {
            self.batchBytes = batchBytes
        }

        func begin(
            _ table: MemoryRangeTable, _ segments: [MemorySegment]
        ) throws(MigrationError) {
            #expect(segments.map { UInt64($0.count) } == (0..<table.count).map { table[$0].length })
            open += 1
            contents += (0..<table.count).map { table[$0] }
            batches.append(table.contentLength)
        }

        func beginZeros(_ table: MemoryRangeTable) throws(MigrationError) {
            open += 1
            zeros += (0..<table.count).map { table[$0] }
        }

        func finish() throws(MigrationError) {
            open = 0
        }
    }

    private func memory(withContentsIn pages: [UInt64]) throws -> GuestRAM {
        let memory = try GuestRAM(layout: Self.layout, backing: .sharedFile(hugePages: nil))
        for page in pages { try memory.store(UInt8(1), at: GuestAddress(page * 4096 + 4095)) }
        return memory
    }

    private func range(_ pages: Range<UInt64>) -> MemoryRange {
        MemoryRange(
            address: pages.lowerBound * 4096, length: UInt64(pages.count) * 4096)
    }

    @Test func runsEndAtZerosAndAtRegions() throws {
        let memory = try memory(withContentsIn: [0, 1, 3, 7, 8, 9])
        var sender = MemorySender(memory: memory)
        var pages = PageSet(layouts: memory.layouts)
        pages.insertAll()
        let sink = Sink()

        try sender.send(pages, zeroPages: .asRanges, to: sink)

        #expect(sink.contents == [range(0..<2), range(3..<4), range(7..<8), range(8..<10)])
        #expect(sink.zeros == [range(2..<3), range(4..<7), range(10..<12)])
        #expect(sink.open == 0)
    }

    @Test func onlyPagesOfTheSetAreSent() throws {
        let memory = try memory(withContentsIn: [0, 1, 2, 3])
        var sender = MemorySender(memory: memory)
        var pages = PageSet(layouts: memory.layouts)
        pages.insert(pages: 1..<3, inRegion: 0)
        let sink = Sink()

        try sender.send(pages, zeroPages: .asRanges, to: sink)

        #expect(sink.contents == [range(1..<3)])
        #expect(sink.zeros == [])
    }

    @Test func zerosAreContentsWhereThePeerKnowsNoOther() throws {
        let memory = try memory(withContentsIn: [1])
        var pages = PageSet(layouts: memory.layouts)
        pages.insert(pages: 0..<3, inRegion: 0)
        let asContents = Sink()
        let leftOut = Sink()

        var sender = MemorySender(memory: memory)
        try sender.send(pages, zeroPages: .asContents, to: asContents)
        try sender.send(pages, zeroPages: .leftOut, to: leftOut)

        #expect(asContents.contents == [range(0..<3)])
        #expect(leftOut.contents == [range(1..<2)])
        #expect(leftOut.zeros == [])
    }

    @Test func batchesAreAsLargeAsTheSinkWants() throws {
        let layout = RegionLayout(
            slot: 0, start: GuestAddress(0), size: 16 << 20, fileOffset: 0)
        let memory = try GuestRAM(layout: [layout], backing: .sharedFile(hugePages: nil))
        var pages = PageSet(layouts: memory.layouts)
        pages.insertAll()
        let slow = Sink(batchBytes: 4 << 20)
        let fast = Sink(batchBytes: 256 << 20)

        var sender = MemorySender(memory: memory)
        try sender.send(pages, zeroPages: .asContents, to: slow)
        try sender.send(pages, zeroPages: .asContents, to: fast)

        #expect(slow.batches == [UInt64](repeating: 4 << 20, count: 4))
        #expect(fast.batches == [16 << 20])
    }

    /// Number 17 in docs/comparison.md: small rounds use few connections there.
    @Test func roundIsSharedOutWithoutGapsOrOverlaps() throws {
        let layouts = [
            RegionLayout(slot: 0, start: GuestAddress(0), size: 3001 * 4096, fileOffset: 0),
            RegionLayout(
                slot: 1, start: GuestAddress(1 << 30), size: 7 * 4096, fileOffset: 3001 * 4096),
        ]
        var pages = PageSet(layouts: layouts)
        pages.insertAll()
        let round = MemoryRound(pages, senderCount: 3)
        var taken = PageSet(layouts: layouts)
        var count = 0

        while let part = round.takePart() {
            count += part.pages.count
            taken.insert(pages: part.pages, inRegion: part.region)
        }

        #expect(count == 3008)
        #expect(taken.count == 3008)
        #expect(round.takePart() == nil)
    }

    @Test func partsLeaveOutWhatIsNotInThem() throws {
        let memory = try memory(withContentsIn: [0, 1, 2, 3, 4])
        var sender = MemorySender(memory: memory)
        var pages = PageSet(layouts: memory.layouts)
        pages.insertAll()
        let sink = Sink()

        let part = MemoryPart(region: 0, pages: 2..<4)
        try sender.send(part, of: pages, zeroPages: .asContents, to: sink)
        try sender.finish(sink)

        #expect(sink.contents == [range(2..<4)])
    }
}
