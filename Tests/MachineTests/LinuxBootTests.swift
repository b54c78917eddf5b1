import GuestMemory
import LinuxSystem
import Testing

@testable import Machine

private let mebibyte: UInt64 = 1 << 20

@Suite struct LinuxBootTests {
    private let memory: GuestRAM

    init() throws {
        memory = try GuestRAM(
            layout: PhysicalLayout.regions(memorySize: 64 * mebibyte),
            backing: .privateAnonymous(hugePages: nil))
    }

    private func boot(
        _ kernel: [UInt8], initramfs: [UInt8]? = nil, commandLine: String = ""
    ) throws -> BootEntry {
        let file = try TestFile(kernel)
        let module = try initramfs.map { try TestFile($0) }
        return try withExtendedLifetime((file, module)) {
            try BootLoader(memory: memory, processorCount: 2).load(
                BootConfiguration(
                    kernel: file.path, initramfs: module?.path, commandLine: commandLine))
        }
    }

    private func load<Value: FixedWidthInteger & Sendable>(
        _ type: Value.Type, _ address: UInt64
    ) throws -> Value {
        try memory.load(type, at: GuestAddress(address))
    }

    @Test func kernelIsWhereItWantsToBeAndStartsAtItsLongModeEntry() throws {
        let code = (0..<2000).map { UInt8(truncatingIfNeeded: $0) }
        let entry = try boot(bzImage(contents: code))
        #expect(entry == .linux64(entry: 0x100_0200, bootParameters: 0x7000))
        #expect(try memory.read(at: GuestAddress(0x100_0000), count: 2000) == code)
    }

    @Test func bootParametersHaveTheHeaderCommandLineAndMemoryMap() throws {
        let kernel = bzImage(contents: [0x90])
        _ = try boot(kernel, commandLine: "console=ttyS0")
        #expect(try load(UInt16.self, 0x71fe) == 0xaa55)
        #expect(try load(UInt32.self, 0x7202) == 0x5372_6448)
        #expect(try load(UInt8.self, 0x7210) == 0xff)
        #expect(try load(UInt32.self, 0x7218) == 0)
        let line = UInt64(try load(UInt32.self, 0x7228))
        #expect(
            try memory.read(at: GuestAddress(line), count: 14)
                == Array("console=ttyS0".utf8) + [0])
        #expect(try load(UInt64.self, 0x7070) == 0xe_0000)
        #expect(try load(UInt8.self, 0x71e8) == 5)
        #expect(try load(UInt64.self, 0x72d0) == 0)
        #expect(try load(UInt64.self, 0x72d8) == 0x9_fc00)
        #expect(try load(UInt32.self, 0x72e0) == 1)
        #expect(try load(UInt64.self, 0x72d0 + 20) == 0xe_0000)
        #expect(try load(UInt32.self, 0x72e0 + 20) == 2)
        #expect(try load(UInt64.self, 0x72d0 + 40) == mebibyte)
        #expect(try load(UInt64.self, 0x72d8 + 40) == 63 * mebibyte)
    }

    @Test func initramfsEndsBelowTheKernelsLimit() throws {
        let contents = [UInt8](repeating: 0x5a, count: 4097)
        _ = try boot(
            bzImage(contents: [0x90], initramfsLimit: UInt32(48 * mebibyte - 1)),
            initramfs: contents)
        let start = UInt64(try load(UInt32.self, 0x7218))
        #expect(start == 48 * mebibyte - 8192)
        #expect(try load(UInt32.self, 0x721c) == 4097)
        #expect(try memory.read(at: GuestAddress(start), count: 4097) == contents)
    }

    @Test func pageTablesMapFourGibibytesToThemselves() throws {
        _ = try boot(bzImage(contents: [0x90]))
        for address: UInt64 in [0, 0x7000, 0x100_0200, 0xc000_0000, 0xffff_f000] {
            let third = try load(UInt64.self, 0x9000) & ~0xfff
            let directory = try load(UInt64.self, third + 8 * (address >> 30)) & ~0xfff
            let entry = try load(UInt64.self, directory + 8 * ((address >> 21) & 511))
            #expect(entry & 0x83 == 0x83)
            #expect(entry & ~0x1f_ffff == address & ~0x1f_ffff)
        }
        #expect(try load(UInt64.self, 0x9008) == 0)
    }

    @Test func descriptorTableHasTheSegmentsOfTheBootProtocol() throws {
        _ = try boot(bzImage(contents: [0x90]))
        #expect(try load(UInt64.self, 0x510) == 0x00af_9b00_0000_ffff)
        #expect(try load(UInt64.self, 0x518) == 0x00cf_9300_0000_ffff)
    }

    @Test func unusableHeadersAreRefused() throws {
        let faults: [(KernelFault, [UInt8])] = [
            (.oldProtocol, bzImage(contents: [1], version: 0x020b)),
            (.no64BitEntry, bzImage(contents: [1], loadFlags: 0)),
            (.malformedSetup, Array(bzImage(contents: []).prefix(0x240))),
        ]
        for (fault, kernel) in faults {
            let error = try #require(throws: BootError.self) { try boot(kernel) }
            guard case .notAKernel(_, fault) = error else {
                Issue.record("unexpected \(error)")
                continue
            }
        }
    }

    @Test func kernelWithoutItsCodeIsTruncated() throws {
        let error = try #require(throws: BootError.self) { try boot(bzImage(contents: [])) }
        guard case .truncated(_, 2561, 2560) = error else {
            Issue.record("unexpected \(error)")
            return
        }
    }

    @Test func kernelThatNeedsMoreMemoryIsRefused() throws {
        let kernel = bzImage(contents: [1], initialSize: UInt32(48 * mebibyte + 1))
        let error = try #require(throws: BootError.self) { try boot(kernel) }
        guard case .segmentOutsideMemory(_, 0x100_0000, _, 67_108_864) = error else {
            Issue.record("unexpected \(error)")
            return
        }
    }

    @Test func commandLineIsBoundedByTheKernel() throws {
        let kernel = bzImage(contents: [1], commandLineLimit: 10)
        _ = try boot(kernel, commandLine: "0123456789")
        #expect(throws: BootError.commandLineTooLong(length: 11, limit: 10)) {
            try boot(kernel, commandLine: "0123456789a")
        }
    }
}
