import GuestMemory

/// The tables with which a 32-bit guest takes interrupt 0x24 and the non-maskable interrupt.
enum InterruptTables {
    /// The two operands of LGDT and LIDT, 8 bytes apart.
    static let pointers: UInt32 = 0x20_0800
    private static let segments: UInt32 = 0x20_0900
    private static let gates: UInt32 = 0x20_1000
    private static let handler: UInt32 = 0x20_2000
    private static let vector: UInt32 = 0x24

    static func write(to memory: GuestRAM) throws {
        var tables = ByteBuilder()
        tables.append(UInt16(31))
        tables.append(segments)
        tables.pad(to: 8)
        tables.append(UInt16(256 * 8 - 1))
        tables.append(gates)
        tables.pad(to: Int(segments - pointers) + 16)
        tables.append(UInt64(0x00cf_9b00_0000_ffff))
        tables.append(UInt64(0x00cf_9300_0000_ffff))
        try memory.write(tables.bytes, at: GuestAddress(UInt64(pointers)))

        try write(GuestProgram.handler, at: handler, vector: vector, to: memory)
        try write(GuestProgram.nonMaskableHandler, at: handler + 0x100, vector: 2, to: memory)
    }

    /// Writes a handler and an interrupt gate of the most privileged level to it.
    private static func write(
        _ code: [UInt8], at address: UInt32, vector: UInt32, to memory: GuestRAM
    ) throws {
        let gate =
            UInt64(address & 0xffff) | 0x10 << 16 | 0x8e00 << 32 | UInt64(address >> 16) << 48
        try memory.store(gate, at: GuestAddress(UInt64(gates + 8 * vector)))
        try memory.write(code, at: GuestAddress(UInt64(address)))
    }
}
