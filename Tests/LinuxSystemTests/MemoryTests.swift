import LinuxSystem
import Testing

@Suite struct MemoryTests {
    @Test func sharedMappingsOfOneFileShowTheSameBytes() throws {
        let file = try MemoryFile(name: "shared", size: 2 * PageSize.base)
        let first = try Mapping(file: file.descriptor, count: file.size)
        let second = try Mapping(file: file.descriptor, count: file.size)

        unsafe first.baseAddress.storeBytes(of: 42, toByteOffset: 5000, as: UInt8.self)

        #expect(unsafe second.baseAddress.load(fromByteOffset: 5000, as: UInt8.self) == 42)
    }

    @Test func privateMappingLeavesTheFileAlone() throws {
        let file = try MemoryFile(name: "private", size: PageSize.base)
        let shared = try Mapping(file: file.descriptor, count: file.size)
        let own = try Mapping(file: file.descriptor, count: file.size, sharing: .private)

        unsafe own.baseAddress.storeBytes(of: 42, as: UInt8.self)

        #expect(unsafe shared.baseAddress.load(as: UInt8.self) == 0)
    }

    @Test func mappingIsAlignedAsAsked() throws {
        let alignment = HugePageSize.twoMebibytes.rawValue
        let file = try MemoryFile(name: "aligned", size: 3 * PageSize.base)
        let mapping = try Mapping(file: file.descriptor, count: file.size, alignment: alignment)

        #expect(unsafe UInt(bitPattern: mapping.baseAddress) % UInt(alignment) == 0)
        unsafe mapping.baseAddress.storeBytes(of: 1, toByteOffset: 3 * 4096 - 1, as: UInt8.self)
    }

    @Test(arguments: [0, -1, Int.max])
    func mappingOfImpossibleSizeIsRefused(count: Int) {
        #expect(throws: SystemError.self) { _ = try Mapping(anonymous: count) }
        #expect(throws: SystemError.self) {
            _ = try Mapping(anonymous: count, alignment: HugePageSize.twoMebibytes.rawValue)
        }
    }

    @Test func droppedAnonymousMemoryReadsAsZeros() throws {
        let mapping = try Mapping(anonymous: 2 * PageSize.base)
        unsafe mapping.baseAddress.storeBytes(of: 1, as: UInt8.self)
        unsafe mapping.baseAddress.storeBytes(of: 2, toByteOffset: PageSize.base, as: UInt8.self)

        try mapping.advise(.notNeeded, 0..<PageSize.base)

        #expect(unsafe mapping.baseAddress.load(as: UInt8.self) == 0)
        #expect(unsafe mapping.baseAddress.load(fromByteOffset: 4096, as: UInt8.self) == 2)
    }

    @Test func adviceBeyondTheMappingIsRefused() throws {
        let mapping = try Mapping(anonymous: PageSize.base)

        #expect(throws: SystemError.self) { try mapping.advise(.notNeeded, 0..<8192) }
    }

    @Test func extentsAreTheTouchedPages() throws {
        let page = PageSize.base
        let file = try MemoryFile(name: "sparse", size: 8 * page)
        let mapping = try Mapping(file: file.descriptor, count: file.size)
        unsafe mapping.baseAddress.storeBytes(of: 1, toByteOffset: 2 * page, as: UInt8.self)
        unsafe mapping.baseAddress.storeBytes(of: 1, toByteOffset: 3 * page, as: UInt8.self)
        unsafe mapping.baseAddress.storeBytes(of: 1, toByteOffset: 6 * page, as: UInt8.self)

        #expect(try file.nextExtent(from: 0) == 2 * page..<4 * page)
        #expect(try file.nextExtent(from: 4 * page) == 6 * page..<7 * page)
        #expect(try file.nextExtent(from: 7 * page) == nil)
    }

    @Test func punchedHoleReadsAsZerosAndHoldsNothing() throws {
        let file = try MemoryFile(name: "punched", size: 2 * PageSize.base)
        let mapping = try Mapping(file: file.descriptor, count: file.size)
        unsafe mapping.baseAddress.storeBytes(of: 1, as: UInt8.self)

        try file.punchHole(0..<PageSize.base)

        // In this order: reading brings an empty page into the file.
        #expect(try file.nextExtent(from: 0) == nil)
        #expect(unsafe mapping.baseAddress.load(as: UInt8.self) == 0)
    }

    @Test func sealedFileKeepsItsSize() throws {
        let file = try MemoryFile(name: "sealed", size: PageSize.base)

        try file.add([.shrink, .grow])

        #expect(try file.seals == [.shrink, .grow])
        #expect(throws: SystemError.self) { try file.descriptor.truncate(to: 0) }
    }

    @Test func adoptedMemoryFileKnowsItsSize() throws {
        let file = try MemoryFile(name: "passed", size: 3 * PageSize.base)

        #expect(try MemoryFile(adopting: file.descriptor.duplicate()).size == 3 * PageSize.base)
    }

    @Test func missingHugePagesAreNamedWithAdvice() {
        // More than any host has.
        let error = #expect(throws: SystemError.self) {
            _ = try MemoryFile(name: "huge", size: 1 << 44, hugePages: .twoMebibytes)
        }
        #expect(error?.object == "memory file huge")
        #expect(error?.errno == .noMemory)
        #expect(error?.advice?.contains("hugepages-2048kB") == true)
    }

    @Test func eventIsNoMemoryFile() throws {
        let event = try EventDescriptor(name: "no file")

        #expect(throws: SystemError.self) {
            _ = try MemoryFile(adopting: event.descriptor.duplicate())
        }
    }
}
