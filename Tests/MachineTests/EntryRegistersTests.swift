import Testing

@testable import KVM
@testable import Machine

@Suite(.enabled(if: kvmIsAvailable, "needs /dev/kvm, readable and writable"))
struct EntryRegistersTests {
    private func registers(
        after entry: BootEntry
    ) throws -> (general: GeneralRegisters, special: SpecialRegisters) {
        let guest = try TestGuest(code: [0xf4], loads: false)
        let processor = guest.platform.processors[0]
        try processor.setEntry(entry)
        return (
            try #require(
                GeneralRegisters(bytes: try processor.hardware.state(.generalRegisters))),
            try #require(
                SpecialRegisters(bytes: try processor.hardware.state(.specialRegisters)))
        )
    }

    @Test func pvhEntersProtectedModeWithoutPaging() throws {
        let (general, special) = try registers(
            after: .pvh(entry: 0x10_0040, startInfo: 0x6000))
        #expect(general[.rip] == 0x10_0040)
        #expect(general[.rbx] == 0x6000)
        #expect(general[.rflags] == 2)
        #expect(special.cr0 == 0x11)
        #expect(special.cr4 == 0)
        #expect(special.efer == 0)
        #expect(special.cs.isDefault32 && !special.cs.isLong && special.cs.isCodeOrData)
        for segment in [special.cs, special.ds, special.es, special.ss] {
            #expect(segment.base == 0)
            #expect(segment.limit == 0xffff_ffff)
            #expect(segment.isPresent)
            #expect(segment.privilegeLevel == 0)
        }
        #expect(special.tr.limit == 0x67)
        #expect(special.tr.type == 0xb)
    }

    @Test func linuxEntersLongModeOverTheLoadersTables() throws {
        let (general, special) = try registers(
            after: .linux64(entry: 0x100_0200, bootParameters: 0x7000))
        #expect(general[.rip] == 0x100_0200)
        #expect(general[.rsi] == 0x7000)
        #expect(general[.rflags] == 2)
        #expect(special.cr0 == 0x8000_0011)
        #expect(special.cr3 == 0x9000)
        #expect(special.cr4 == 0x20)
        #expect(special.efer == 0x500)
        #expect(special.cs.isLong && !special.cs.isDefault32)
        #expect(special.cs.selector == 0x10)
        #expect(special.ds.selector == 0x18 && special.ss.selector == 0x18)
        #expect(special.gdt.base == 0x500 && special.gdt.limit == 31)
    }

    @Test func memoryIsWriteBackOnEveryProcessor() throws {
        let guest = try TestGuest(code: [0xf4], processorCount: 2)
        for processor in guest.platform.processors {
            let found = try processor.hardware.modelSpecificRegisters([0x2ff])
            #expect(found == [ModelSpecificRegister(index: 0x2ff, value: 0x806)])
        }
    }
}
