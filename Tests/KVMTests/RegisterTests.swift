import KVM
import Testing

@Suite struct RegisterTests {
    @Test func generalRegistersKeepTheirBytes() throws {
        let bytes = (0..<144).map { UInt8($0) }
        let registers = try #require(GeneralRegisters(bytes: bytes))

        #expect(registers.bytes == bytes)
        #expect(registers[.rax] == 0x0706_0504_0302_0100)
        #expect(registers[.rflags] == 0x8f8e_8d8c_8b8a_8988)
    }

    @Test func specialRegistersKeepTheirBytes() throws {
        var bytes = [UInt8](repeating: 0, count: 312)
        bytes[0] = 0x10  // base of CS
        bytes[312 - 32 + 9] = 0x02  // bit 73 of the pending interrupts
        var registers = try #require(SpecialRegisters(bytes: bytes))

        #expect(registers.bytes == bytes)
        #expect(registers.cs.base == 0x10)
        registers.cs.isLong = true
        registers.cr3 = 0x1000
        #expect(SpecialRegisters(bytes: registers.bytes) == registers)
    }

    @Test(arguments: [0, 143, 145, 311, 313])
    func otherNumbersOfBytesAreRefused(count: Int) {
        let bytes = [UInt8](repeating: 0, count: count)

        #expect(GeneralRegisters(bytes: bytes) == nil)
        #expect(SpecialRegisters(bytes: bytes) == nil)
    }
}
