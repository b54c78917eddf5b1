/// Machine code for test guests, for 32-bit protected mode without paging at 1 MiB.
enum GuestProgram {
    /// Where programs count.
    static let counter: UInt32 = 0x20_0000

    /// Where the second processor of `countOnTwoProcessors` counts.
    static let secondCounter: UInt32 = 0x8500

    /// Counts in EBX and stores it at `counter`, so that the count is in a register and memory
    /// only follows: inc ebx; mov [counter], ebx; jmp back.
    static let count: [UInt8] =
        [0x43, 0x89, 0x1d] + bytes(counter) + [0xeb, 0xf7]

    /// Starts the second processor, which counts in real mode, and counts itself.
    ///
    /// The code for the second one is copied to 0x8000: nop; inc dword [0x8500];
    /// jmp back.
    static let countOnTwoProcessors: [UInt8] =
        store(0x06ff_6690, at: 0x8000)
        + store(0xf8eb_8500, at: 0x8004)
        + store(0x1ff, at: 0xfee0_00f0)  // local APIC on
        + store(0x0100_0000, at: 0xfee0_0310)  // to processor 1
        + store(0x4500, at: 0xfee0_0300)  // INIT
        + store(0x4608, at: 0xfee0_0300)  // start at 0x8000
        + count

    /// Stores the time stamp counter over and over: rdtsc; mov [counter + 4], edx;
    /// mov [counter], eax; jmp back.
    static let readTimestamp: [UInt8] =
        [0x0f, 0x31, 0x89, 0x15] + bytes(counter + 4) + [0xa3] + bytes(counter) + [0xeb, 0xf1]

    /// mov dword [address], value
    static func store(_ value: UInt32, at address: UInt32) -> [UInt8] {
        [0xc7, 0x05] + bytes(address) + bytes(value)
    }

    private static func bytes(_ value: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
}
