/// The smallest PVH kernel: it writes one byte to the serial port, then switches the machine off.
///
/// Sources: System V ABI (ELF64), Xen's `elfnote.h` (note 18, the 32-bit entry point).
enum GreetingKernel {
    /// What it writes.
    static let greeting = UInt8(ascii: "!")

    private static let address: UInt64 = 0x10_0000
    private static let noteOffset: UInt64 = 64 + 2 * 56
    private static let codeOffset: UInt64 = 256

    private static let code: [UInt8] = [
        0x66, 0xba, 0xf8, 0x03,  // mov dx, 0x3f8
        0xb0, greeting,  // mov al, greeting
        0xee,  // out dx, al
        0x66, 0xba, 0x00, 0x06,  // mov dx, 0x600
        0xb0, 0x34,  // mov al, 0x34
        0xee,  // out dx, al
        0xf4,  // hlt
    ]

    private static let note: [UInt8] =
        bytes(UInt32(4)) + bytes(UInt32(8)) + bytes(UInt32(18)) + [0x58, 0x65, 0x6e, 0]
        + bytes(address + codeOffset)

    /// The file.
    static var image: [UInt8] {
        let size = codeOffset + UInt64(code.count)
        var image: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9)
        image += bytes(UInt16(2)) + bytes(UInt16(62)) + bytes(UInt32(1))
        image += bytes(address + codeOffset) + bytes(UInt64(64)) + bytes(UInt64(0))
        image += bytes(UInt32(0)) + bytes(UInt16(64)) + bytes(UInt16(56)) + bytes(UInt16(2))
        image += bytes(UInt16(0)) + bytes(UInt16(0)) + bytes(UInt16(0))
        image += programHeader(type: 1, offset: 0, size: size)
        image += programHeader(type: 4, offset: noteOffset, size: UInt64(note.count))
        image += note
        image += [UInt8](repeating: 0, count: Int(codeOffset) - image.count)
        return image + code
    }

    private static func programHeader(type: UInt32, offset: UInt64, size: UInt64) -> [UInt8] {
        bytes(type) + bytes(UInt32(7)) + bytes(offset) + bytes(address + offset)
            + bytes(address + offset) + bytes(size) + bytes(size) + bytes(UInt64(4))
    }

    private static func bytes(_ value: some FixedWidthInteger & UnsignedInteger) -> [UInt8] {
        (0..<value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
}
