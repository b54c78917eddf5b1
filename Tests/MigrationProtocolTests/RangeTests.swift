import MigrationProtocol
import Testing

/// 0..<0x8000 and 0x8000..<0x10000 touch; 0x20000..<0x30000 stands alone; the last ends at 2^64 - 1.
private let regions = [
    MemoryRange(address: 0x20000, length: 0x10000),
    MemoryRange(address: 0, length: 0x8000),
    MemoryRange(address: 0x8000, length: 0x8000),
    MemoryRange(address: .max - 0x1000, length: 0x1000),
]

@Suite struct RegionListTests {
    private let list: RegionList

    init() throws {
        list = try RegionList(regions)
    }

    @Test func rangeInsideARegionIsFound() throws {
        #expect(try list.index(containing: MemoryRange(address: 0, length: 0x8000)) == 0)
        #expect(try list.index(containing: MemoryRange(address: 0x8000, length: 1)) == 1)
        #expect(try list.index(containing: MemoryRange(address: 0x2FFFF, length: 1)) == 2)
        #expect(try list.index(containing: MemoryRange(address: .max - 1, length: 1)) == 3)
    }

    @Test func rangeOutsideMemoryIsRefused() {
        for range in [
            MemoryRange(address: 0x10000, length: 1), MemoryRange(address: 0x1FFFF, length: 2),
            MemoryRange(address: 0x2FFFF, length: 2), MemoryRange(address: 0xFFFF, length: 2),
            MemoryRange(address: 0, length: 0x10001),
        ] {
            #expect(throws: RangeError.outsideMemory(range)) {
                try list.index(containing: range)
            }
            #expect(throws: RangeError.outsideMemory(range)) { try list.pieces(of: range) }
        }
    }

    @Test func rangeOverABorderIsToldApart() {
        let range = MemoryRange(address: 0x7000, length: 0x2000)
        #expect(throws: RangeError.crossesRegions(range)) { try list.index(containing: range) }
    }

    @Test func rangeBeyond64BitsIsRefused() {
        let range = MemoryRange(address: .max, length: 2)
        #expect(throws: RangeError.overflow(range)) { try list.index(containing: range) }
        #expect(throws: RangeError.overflow(range)) { try list.pieces(of: range) }
    }

    @Test func alignmentIsChecked() throws {
        let range = MemoryRange(address: 0x1000, length: 0x800)
        #expect(throws: RangeError.misaligned(range, alignment: 4096)) {
            try list.index(containing: range, alignment: 4096)
        }
        #expect(try list.index(containing: range) == 0)
    }

    @Test func rangeIsSplitAtBorders() throws {
        let pieces = try Array(list.pieces(of: MemoryRange(address: 0x7000, length: 0x2000)))
        #expect(
            pieces.map(\.range) == [
                MemoryRange(address: 0x7000, length: 0x1000),
                MemoryRange(address: 0x8000, length: 0x1000),
            ])
        #expect(pieces.map(\.region) == [0, 1])
    }

    @Test func emptyRangeHasNoPieces() throws {
        #expect(try Array(list.pieces(of: MemoryRange(address: 0x50000, length: 0))).isEmpty)
    }

    @Test func overlappingOrEmptyRegionsAreRefused() {
        for second in [
            MemoryRange(address: 0x7FFF, length: 1), MemoryRange(address: 0x9000, length: 0),
            MemoryRange(address: .max, length: 2),
        ] {
            #expect(throws: RangeError.self) {
                try RegionList([MemoryRange(address: 0, length: 0x8000), second])
            }
        }
    }

    @Test func memoryWithoutRegionsHasNoRanges() throws {
        let empty = try RegionList([])
        #expect(throws: RangeError.self) {
            try empty.pieces(of: MemoryRange(address: 0, length: 1))
        }
    }
}

@Suite struct MemoryRangeTests {
    @Test func chunksCoverTheRangeInOrder() {
        let range = MemoryRange(address: 0x1000, length: 0x2800)
        #expect(
            Array(range.chunks(of: 0x1000)) == [
                MemoryRange(address: 0x1000, length: 0x1000),
                MemoryRange(address: 0x2000, length: 0x1000),
                MemoryRange(address: 0x3000, length: 0x800),
            ])
        #expect(Array(MemoryRange(address: 5, length: 0).chunks(of: 10)).isEmpty)
        let last = MemoryRange(address: .max - 1, length: 1)
        #expect(Array(last.chunks(of: 10)) == [last])
    }

    @Test func tableSurvivesTheWire() throws {
        var table = MemoryRangeTable(reservingCapacity: 2)
        table.append(MemoryRange(address: 1, length: 2))
        table.append(MemoryRange(address: .max, length: 0))
        let decoded = try MemoryRangeTable(decoding: table.bytes)
        #expect(decoded == table)
        #expect(decoded.count == 2)
        #expect(decoded.contentLength == 2)
        #expect(decoded[1] == MemoryRange(address: .max, length: 0))
        #expect(MemoryRange(in: table.bytes.span, at: 0) == table[0])
        table.removeAll()
        #expect(table.isEmpty && table.contentLength == 0)
    }

    @Test func contentLengthMustFit64Bits() {
        var table = MemoryRangeTable()
        table.append(MemoryRange(address: 0, length: .max))
        table.append(MemoryRange(address: 0, length: 1))
        #expect(throws: RangeError.self) { try MemoryRangeTable(decoding: table.bytes) }
    }

    @Test(arguments: [1, 15, 17, UInt64.max])
    func tableThatIsCutIsRefused(length: UInt64) {
        #expect(throws: RangeError.cutTable(byteCount: length)) {
            try MemoryRangeTable.rangeCount(length: length, limit: .max)
        }
    }

    @Test func tableAboveTheLimitIsRefused() throws {
        #expect(try MemoryRangeTable.rangeCount(length: 32, limit: 2) == 2)
        #expect(throws: RangeError.tooManyRanges(count: 3, limit: 2)) {
            try MemoryRangeTable.rangeCount(length: 48, limit: 2)
        }
        #expect(throws: RangeError.self) {
            try MemoryRangeTable.rangeCount(length: .max - 15, limit: Limits.maximumRanges)
        }
    }

    @Test func rangeLimitFollowsTheGuest() {
        #expect(Limits.maximumRanges(guestMemory: 1 << 30) == 1 << 18)
        #expect(Limits.maximumRanges(guestMemory: 0) == 4096)
        #expect(Limits.maximumRanges(guestMemory: .max) == Limits.maximumRanges)
    }
}
