import Foundation
import GuestMemory
import LinuxSystem
import Testing

@testable import Machine

private let mebibyte: UInt64 = 1 << 20

/// Boots a guest and looks for its tables.
private func bootedTables(processorCount: Int) throws -> (GuestRAM, TableReader) {
    let memory = try GuestRAM(
        layout: PhysicalLayout.regions(memorySize: 64 * mebibyte),
        backing: .privateAnonymous(hugePages: nil))
    let file = try TestFile(elfKernel(contents: [0xf4]))
    _ = try withExtendedLifetime(file) {
        try BootLoader(memory: memory, processorCount: processorCount).load(
            BootConfiguration(kernel: file.path))
    }
    let pointer = try memory.load(UInt64.self, at: GuestAddress(0x6020))
    return (memory, try TableReader(memory, rootPointer: pointer))
}

@Suite struct FirmwareTablesTests {
    @Test(arguments: [1, 4, 254])
    func allTablesAreFoundSoundAndInTheirArea(processorCount: Int) throws {
        let (memory, reader) = try bootedTables(processorCount: processorCount)
        #expect(reader.root.bytes.prefix(8) == Array("RSD PTR ".utf8)[...])
        #expect(reader.root.isSound)
        #expect(reader.root.bytes.prefix(20).reduce(0, &+) == 0)
        #expect(reader.root.bytes[15] == 2)
        #expect(reader.list.signature == "XSDT")
        #expect(reader.tables.map(\.signature) == ["FACP", "APIC", "MCFG"])

        let fixed = try #require(reader["FACP"])
        let definitions = try TableReader.table(
            at: fixed.integer(UInt64.self, at: 140), memory)
        #expect(definitions.signature == "DSDT")
        let all = reader.tables + [reader.list, definitions]
        for table in all {
            #expect(table.isSound, "\(table.signature)")
            let end = table.address + UInt64(table.bytes.count)
            #expect(table.address >= 0xe_0024 && end <= 0x10_0000)
            for other in all where other.address != table.address {
                #expect(end <= other.address || other.address < table.address)
            }
        }
    }

    @Test func machineIsOfTheReducedKindAndCanBeSwitchedOff() throws {
        let fixed = try #require(try bootedTables(processorCount: 1).1["FACP"])
        #expect(fixed.bytes.count == 276)
        #expect(fixed.bytes[8] == 6)
        let flags = fixed.integer(UInt32.self, at: 112)
        #expect(flags & 1 << 20 != 0, "hardware-reduced")
        #expect(flags & 1 << 10 != 0, "reset register")
        #expect(flags & 1 << 4 != 0, "no fixed power button")
        // No VGA, no CMOS clock, no keyboard controller.
        #expect(fixed.integer(UInt16.self, at: 109) & 0b10_0110 == 0b10_0100)
        let port: [UInt8] = [1, 8, 0, 1, 0x00, 0x06, 0, 0, 0, 0, 0, 0]
        #expect(fixed.bytes[116..<128] == port[...])
        #expect(fixed.bytes[128] == 1)
        #expect(fixed.bytes[244..<256] == port[...])
        #expect(fixed.bytes[256..<268] == port[...])
    }

    @Test func everyProcessorAndTheIOAPICAreListed() throws {
        let table = try #require(try bootedTables(processorCount: 3).1["APIC"])
        #expect(table.integer(UInt32.self, at: 36) == 0xfee0_0000)
        var rest = table.bytes[44...]
        var entries: [[UInt8]] = []
        while rest.count >= 2, rest[rest.startIndex + 1] >= 2 {
            let length = Int(rest[rest.startIndex + 1])
            entries.append(Array(rest.prefix(length)))
            rest = rest.dropFirst(length)
        }
        #expect(rest.isEmpty)
        #expect(
            entries == [
                [0, 8, 0, 0, 1, 0, 0, 0], [0, 8, 1, 1, 1, 0, 0, 0], [0, 8, 2, 2, 1, 0, 0, 0],
                [1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0],
                [4, 6, 0xff, 5, 0, 1],
            ])
    }

    @Test func configurationSpaceIsWhereTheBusHasIt() throws {
        let table = try #require(try bootedTables(processorCount: 1).1["MCFG"])
        #expect(table.bytes.count == 60)
        let base = table.integer(UInt64.self, at: 44)
        #expect(base == PhysicalLayout.pciConfiguration.lowerBound)
        let lastBus = table.bytes[55]
        #expect(table.bytes[54] == 0)
        #expect(PhysicalLayout.pciConfiguration.upperBound == base + (UInt64(lastBus) + 1) << 20)
    }

    @Test func guestTooSmallForTheTablesIsRefused() throws {
        let memory = try GuestRAM(
            layout: PhysicalLayout.regions(memorySize: mebibyte / 2),
            backing: .privateAnonymous(hugePages: nil))
        let file = try TestFile(elfKernel(address: 0x4_0000, contents: [0xf4]))
        #expect(throws: BootError.self) {
            _ = try BootLoader(memory: memory, processorCount: 1).load(
                BootConfiguration(kernel: file.path))
        }
    }

    @Test func kernelOverTheTablesIsRefused() throws {
        let memory = try GuestRAM(
            layout: PhysicalLayout.regions(memorySize: 4 * mebibyte),
            backing: .privateAnonymous(hugePages: nil))
        let file = try TestFile(
            elfKernel(address: 0xd_0000, contents: [0xf4], memorySize: 0x2_0001))
        let error = try #require(throws: BootError.self) {
            try BootLoader(memory: memory, processorCount: 1).load(
                BootConfiguration(kernel: file.path))
        }
        #expect(error.description.contains("ACPI tables"))
    }

    @Test func tablesThatDoNotFitAreAnError() throws {
        let error = try #require(throws: BootError.self) {
            _ = try FirmwareTables(processorCount: 0xfff, memorySize: mebibyte).image()
        }
        guard case .tablesDoNotFit(let size, 0x1_fff0) = error else {
            Issue.record("unexpected \(error)")
            return
        }
        #expect(error.description.contains("\(size) bytes"))
    }

    /// ACPICA's own compiler takes the namespace apart and translates it back.
    @Test(.enabled(if: Disassembler.path != nil, "needs iasl of the package acpica-tools"))
    func compilerTakesTheNamespaceWithoutAWarning() throws {
        for (processorCount, memorySize) in [(1, 64 * mebibyte), (254, 5 << 30)] {
            let tables = FirmwareTables(processorCount: processorCount, memorySize: memorySize)
            let source = try Disassembler.source(of: tables.systemDescription.finished)
            #expect(source.contains("Device (PCI0)"))
            #expect(source.contains("\"PNP0A08\""))
            #expect(source.components(separatedBy: "\"ACPI0007\"").count == processorCount + 1)
            #expect(source.contains("\"PNP0501\""))
            #expect(source.contains("Name (_S5"))
            #expect(source.contains("\"QEMU0001\""))
            #expect(source.contains("\"ACPI0013\""))
            #expect(source.contains("Notify (\\_SB.PWRB, 0x80)"))
            #expect(source.components(separatedBy: "Method (_EJ0, 1, Serialized)").count == 32)
            #expect(source.contains("Notify (S1F, 0x03)"))
        }
    }
}
