import GuestMemory
import LinuxSystem
import Testing

private let layout = [
    RegionLayout(slot: 0, start: GuestAddress(0), size: 0x10_0000, fileOffset: 0),
    RegionLayout(slot: 1, start: GuestAddress(0x10_0000), size: 0x10_0000, fileOffset: 0x10_0000),
    RegionLayout(slot: 2, start: GuestAddress(1 << 32), size: 0x10_0000, fileOffset: 0x20_0000),
]

private func makeRAM(_ backing: MemoryBacking = .sharedFile(hugePages: nil)) throws -> GuestRAM {
    try GuestRAM(layout: layout, backing: backing)
}

private func range(_ start: UInt64, _ length: UInt64) throws -> GuestRange {
    try #require(GuestRange(start: GuestAddress(start), length: length))
}

@Suite struct GuestRAMTests {
    @Test(arguments: [
        MemoryBacking.sharedFile(hugePages: nil), .privateAnonymous(hugePages: nil),
    ])
    func valuesAreLittleEndianAtAnyAlignment(backing: MemoryBacking) throws {
        let memory = try makeRAM(backing)
        try memory.store(UInt32(0x0102_0304), at: GuestAddress(0x1001))
        #expect(try memory.read(at: GuestAddress(0x1001), count: 4) == [4, 3, 2, 1])
        #expect(try memory.load(UInt32.self, at: GuestAddress(0x1001)) == 0x0102_0304)
    }

    @Test(
        arguments: [
            (0x0f_fffc, 8), (0x1f_ffff, 2), (0x20_0000, 1), (.max - 3, 8), (.max - 8, 4),
            (0xffff_ffff, 2),
        ] as [(UInt64, UInt64)])
    func aRangeOutsideOneRegionIsRefused(start: UInt64, length: UInt64) throws {
        let memory = try makeRAM()
        #expect(throws: GuestMemoryError.self) {
            _ = try memory.read(at: GuestAddress(start), count: Int(length))
        }
        #expect(throws: GuestMemoryError.self) {
            try memory.write([UInt8](repeating: 1, count: Int(length)), at: GuestAddress(start))
        }
    }

    @Test func everyKindOfWriteIsRecorded() throws {
        let memory = try makeRAM()
        try memory.store(UInt64(1), at: GuestAddress(0x0fff))
        try memory.storeReleasing(1, at: GuestAddress(0x5000))
        try memory.write([1, 2, 3], at: GuestAddress(1 << 32))
        try memory.fillWithZeros(range(0x10_0000, 0x2000))
        var pages = PageSet(layouts: memory.layouts)
        memory.collectDirtyPages(into: &pages)
        #expect(pages.nextRun(from: 0, inRegion: 0) == 0..<2)
        #expect(pages.nextRun(from: 2, inRegion: 0) == 5..<6)
        #expect(pages.nextRun(from: 0, inRegion: 1) == 0..<2)
        #expect(pages.nextRun(from: 0, inRegion: 2) == 0..<1)
        #expect(pages.count == 6)
        pages.removeAll()
        memory.collectDirtyPages(into: &pages)
        #expect(pages.isEmpty == true)
    }

    /// Pages of the set, in the range: others stay recorded, and what is written later is.
    @Test func whatIsForgottenIsNotCollectedUntilItIsWrittenAgain() throws {
        let memory = try makeRAM()
        for page in 0..<200 as Range<UInt64> {
            try memory.store(page, at: GuestAddress(page * 4096))
        }
        var sent = PageSet(layouts: memory.layouts)
        sent.insert(pages: 10..<150, inRegion: 0)

        memory.forgetDirtyPages(64..<192, of: sent, inRegion: 0)
        try memory.store(UInt64(1), at: GuestAddress(100 * 4096))
        memory.forgetDirtyPages(0..<64, of: sent, inRegion: 7)

        var pages = PageSet(layouts: memory.layouts)
        memory.collectDirtyPages(into: &pages)
        #expect(pages.nextRun(from: 0, inRegion: 0) == 0..<64)
        #expect(pages.nextRun(from: 64, inRegion: 0) == 100..<101)
        #expect(pages.nextRun(from: 101, inRegion: 0) == 150..<200)
        #expect(pages.count == 64 + 1 + 50)
    }

    @Test func readingIsNotRecorded() throws {
        let memory = try makeRAM()
        _ = try memory.load(UInt64.self, at: GuestAddress(0))
        _ = try memory.loadAcquiring(at: GuestAddress(0x1000))
        var pages = PageSet(layouts: memory.layouts)
        memory.collectDirtyPages(into: &pages)
        #expect(pages.isEmpty == true)
    }

    @Test func aMisalignedRingIndexIsRefused() throws {
        let memory = try makeRAM()
        #expect(throws: GuestMemoryError.misaligned(address: GuestAddress(1), size: 2)) {
            _ = try memory.loadAcquiring(at: GuestAddress(1))
        }
    }

    @Test func aSecondMappingSeesTheSamePages() throws {
        let memory = try makeRAM()
        try memory.store(UInt64(42), at: GuestAddress((1 << 32) + 8))
        let other = try GuestRAM(adopting: layout, hugePages: nil) { slot in
            memory.regions.first { $0.layout.slot == slot }?.file
        }
        #expect(try other.load(UInt64.self, at: GuestAddress((1 << 32) + 8)) == 42)
    }

    @Test func memoryWithoutAFileForASlotIsRefused() throws {
        #expect(throws: GuestMemoryError.fileMissing(slot: 0)) {
            _ = try GuestRAM(adopting: layout, hugePages: nil) { _ in nil }
        }
    }

    @Test func aFileThatIsTooShortIsRefused() throws {
        let short = try GuestRAM(layout: [layout[0]], backing: .sharedFile(hugePages: nil))
        #expect(
            throws: GuestMemoryError.fileTooShort(slot: 1, needed: 0x20_0000, actual: 0x10_0000)
        ) {
            _ = try GuestRAM(adopting: layout, hugePages: nil) { _ in short.regions[0].file }
        }
    }

    @Test func untouchedMemoryIsNotPopulated() throws {
        let memory = try makeRAM()
        #expect(memory.regions[0].populatedRanges().isEmpty)
        try memory.store(UInt8(1), at: GuestAddress(0x10_5000))
        #expect(memory.regions[1].populatedRanges() == [try range(0x10_5000, 0x1000)])
        #expect(memory.regions[2].populatedRanges().isEmpty)
    }

    @Test func zeroScanSeesEveryByte() throws {
        let memory = try makeRAM()
        let page = try memory.segment(range(0x3000, 0x1000))
        #expect(page.isZero)
        for offset in [0, 7, 8, 63, 64, 2047, 4088, 4095] as [UInt64] {
            try memory.store(UInt8(0x80), at: GuestAddress(0x3000 + offset))
            #expect(!page.isZero, "byte \(offset)")
            try memory.store(UInt8(0), at: GuestAddress(0x3000 + offset))
        }
        #expect(try #require(page.part(offset: 1, length: 77)).isZero)
    }

    @Test func segmentsCannotBeWidened() throws {
        let memory = try makeRAM()
        let page = try memory.segment(range(0, 0x1000))
        #expect(page.part(offset: 0x800, length: 0x801) == nil)
        #expect(page.part(offset: -1, length: 1) == nil)
        #expect(page.part(offset: .max, length: 1) == nil)
        #expect(page.part(offset: 0x1000, length: 0)?.count == 0)
    }

    @Test(
        arguments: [
            (0, 0, .empty), (1, 4096, .unaligned), (0, 4097, .unaligned),
            (.max - 4095, 8192, .wraps),
        ] as [(UInt64, UInt64, LayoutFault)])
    func aRegionThatCannotBeIsRefused(start: UInt64, size: UInt64, fault: LayoutFault) {
        let region = RegionLayout(
            slot: 0, start: GuestAddress(start), size: size, fileOffset: 0)
        #expect(throws: GuestMemoryError.invalidLayout(region, reason: fault)) {
            _ = try GuestRAM(layout: [region], backing: .privateAnonymous(hugePages: nil))
        }
    }

    @Test func regionsThatOverlapOrShareASlotAreRefused() {
        #expect(throws: GuestMemoryError.invalidLayout(layout[0], reason: .overlaps)) {
            _ = try GuestRAM(
                layout: [layout[0], layout[0]], backing: .privateAnonymous(hugePages: nil))
        }
        let again = RegionLayout(
            slot: 0, start: GuestAddress(0x20_0000), size: 4096, fileOffset: 0)
        #expect(throws: GuestMemoryError.invalidLayout(again, reason: .repeatedSlot)) {
            _ = try GuestRAM(
                layout: [layout[0], again], backing: .privateAnonymous(hugePages: nil))
        }
    }
}
