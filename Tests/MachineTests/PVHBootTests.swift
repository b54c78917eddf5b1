import GuestMemory
import LinuxSystem
import Testing

@testable import Machine

private let mebibyte: UInt64 = 1 << 20

private func makeMemory(_ size: UInt64) throws -> GuestRAM {
    try GuestRAM(
        layout: PhysicalLayout.regions(memorySize: size),
        backing: .privateAnonymous(hugePages: nil))
}

private func boot(
    _ kernel: [UInt8], initramfs: [UInt8]? = nil, commandLine: String = "", memory: GuestRAM
) throws -> BootEntry {
    let file = try TestFile(kernel)
    let module = try initramfs.map { try TestFile($0) }
    return try withExtendedLifetime((file, module)) {
        try BootLoader(memory: memory, processorCount: 2).load(
            BootConfiguration(
                kernel: file.path, initramfs: module?.path, commandLine: commandLine))
    }
}

@Suite struct PVHBootTests {
    @Test func segmentsEntryAndStartInfoAreInPlace() throws {
        let memory = try makeMemory(64 * mebibyte)
        let entry = try boot(
            elfKernel(contents: [0xf4, 0x90], entry: 0x10_0001), commandLine: "hello",
            memory: memory)

        #expect(entry == .pvh(entry: 0x10_0001, startInfo: 0x6000))
        #expect(try memory.read(at: GuestAddress(0x10_0000), count: 2) == [0xf4, 0x90])
        let info = GuestAddress(0x6000)
        #expect(try memory.load(UInt32.self, at: info) == 0x336e_c578)
        #expect(try memory.load(UInt32.self, at: GuestAddress(0x6004)) == 1)
        #expect(try memory.load(UInt32.self, at: GuestAddress(0x600c)) == 0)
        #expect(try memory.load(UInt64.self, at: GuestAddress(0x6020)) == 0xe_0000)
        let line = GuestAddress(try memory.load(UInt64.self, at: GuestAddress(0x6018)))
        #expect(try memory.read(at: line, count: 6) == Array("hello".utf8) + [0])
    }

    @Test func memoryMapHasTheRAMAndNothingElse() throws {
        let memory = try makeMemory(64 * mebibyte)
        _ = try boot(elfKernel(contents: [0xf4]), memory: memory)
        let table = try memory.load(UInt64.self, at: GuestAddress(0x6028))
        let count = try memory.load(UInt32.self, at: GuestAddress(0x6030))
        var found: [[UInt64]] = []
        for index in 0..<UInt64(count) {
            let entry = table + 24 * index
            found.append([
                try memory.load(UInt64.self, at: GuestAddress(entry)),
                try memory.load(UInt64.self, at: GuestAddress(entry + 8)),
                UInt64(try memory.load(UInt32.self, at: GuestAddress(entry + 16))),
            ])
        }
        #expect(
            found == [
                [0, 0x9_fc00, 1], [0xe_0000, 0x2_0000, 2], [0x10_0000, 63 * mebibyte, 1],
                [0xe000_0000, mebibyte, 2], [0xfffb_c000, 0x4000, 2],
            ])
    }

    @Test func memoryAboveTheHoleIsInTheMap() {
        let map = memoryMap(of: PhysicalLayout.regions(memorySize: 5 << 30))
        #expect(
            map.filter { $0.kind == .ram } == [
                MemoryMapEntry(start: 0, length: 0x9_fc00, kind: .ram),
                MemoryMapEntry(
                    start: 0x10_0000, length: 0xc000_0000 - 0x10_0000, kind: .ram),
                MemoryMapEntry(start: 1 << 32, length: 2 << 30, kind: .ram),
            ])
    }

    @Test func initramfsLiesHighAndIsNamedAsModule() throws {
        let memory = try makeMemory(64 * mebibyte)
        let contents = [UInt8](repeating: 0xab, count: 5000)
        _ = try boot(elfKernel(contents: [0xf4]), initramfs: contents, memory: memory)

        #expect(try memory.load(UInt32.self, at: GuestAddress(0x600c)) == 1)
        let list = GuestAddress(try memory.load(UInt64.self, at: GuestAddress(0x6010)))
        let start = try memory.load(UInt64.self, at: list)
        #expect(start == 64 * mebibyte - 8192)
        #expect(try memory.load(UInt64.self, at: GuestAddress(list.rawValue + 8)) == 5000)
        #expect(try memory.read(at: GuestAddress(start), count: 5000) == contents)
    }

    @Test(arguments: [4, 8]) func entryNoteMayHaveEitherWidth(bytes: Int) throws {
        let memory = try makeMemory(4 * mebibyte)
        let entry = try boot(
            elfKernel(contents: [0xf4], entry: 0x10_0040, entryBytes: bytes), memory: memory)
        #expect(entry == .pvh(entry: 0x10_0040, startInfo: 0x6000))
    }

    @Test func fileThatIsNoKernelIsRefused() throws {
        let memory = try makeMemory(4 * mebibyte)
        try expectFault(.unknownFormat) {
            try boot(Array("#!/bin/sh\n".utf8), memory: memory)
        }
        try expectFault(.unknownFormat) { try boot([], memory: memory) }
        try expectFault(.noPVHEntry) {
            try boot(elfKernel(contents: [1], noteName: "GNU"), memory: memory)
        }
        var foreign = elfKernel(contents: [1])
        foreign[18] = 183
        try expectFault(.foreignELF) { try boot(foreign, memory: memory) }
        var tooMany = elfKernel(contents: [1])
        tooMany[57] = 0xff
        try expectFault(.malformedELF) { try boot(tooMany, memory: memory) }
    }

    @Test func missingFileIsNamed() throws {
        let memory = try makeMemory(4 * mebibyte)
        let loader = BootLoader(memory: memory, processorCount: 2)
        let error = try #require(throws: BootError.self) {
            try loader.load(BootConfiguration(kernel: "/nonexistent/kernel"))
        }
        #expect(error.description.contains("/nonexistent/kernel"))
    }

    @Test func everyShorterFileIsRefused() throws {
        let memory = try makeMemory(4 * mebibyte)
        let whole = elfKernel(contents: [UInt8](repeating: 0x90, count: 100))
        for length in 0..<whole.count {
            #expect(throws: BootError.self, "length \(length)") {
                try boot(Array(whole.prefix(length)), memory: memory)
            }
        }
    }

    @Test(arguments: [
        0, 0x6000, 0x3_ffff, 4 * mebibyte - 1, 4 * mebibyte, UInt64.max - 0x10, 0xffff_f000,
    ])
    func segmentOutsideMemoryIsRefused(address: UInt64) throws {
        let memory = try makeMemory(4 * mebibyte)
        let kernel = elfKernel(address: address, contents: [UInt8](repeating: 1, count: 64))
        let error = try #require(throws: BootError.self) { try boot(kernel, memory: memory) }
        guard case .segmentOutsideMemory(_, address, 64, 4 * mebibyte) = error else {
            Issue.record("unexpected \(error)")
            return
        }
    }

    @Test func initramfsThatDoesNotFitIsRefused() throws {
        let memory = try makeMemory(4 * mebibyte)
        let kernel = elfKernel(contents: [0xf4], memorySize: 2 * mebibyte)
        let initramfs = [UInt8](repeating: 0, count: Int(mebibyte) + 1)
        let error = try #require(throws: BootError.self) {
            try boot(kernel, initramfs: initramfs, memory: memory)
        }
        guard case .initramfsDoesNotFit(_, mebibyte + 1, mebibyte) = error else {
            Issue.record("unexpected \(error)")
            return
        }
    }

    @Test func commandLineIsBounded() throws {
        let memory = try makeMemory(4 * mebibyte)
        let kernel = elfKernel(contents: [0xf4])
        _ = try boot(
            kernel, commandLine: String(repeating: "x", count: 65535), memory: memory)
        #expect(throws: BootError.commandLineTooLong(length: 65536, limit: 65535)) {
            try boot(
                kernel, commandLine: String(repeating: "x", count: 65536), memory: memory)
        }
        #expect(throws: BootError.commandLineHasNull) {
            try boot(kernel, commandLine: "a\0b", memory: memory)
        }
    }

    private func expectFault(_ fault: KernelFault, _ body: () throws -> BootEntry) throws {
        let error = try #require(throws: BootError.self) { try body() }
        guard case .notAKernel(_, fault) = error else {
            Issue.record("unexpected \(error)")
            return
        }
    }
}
