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

    /// Writes to so many pages from `counter` on, one after the other, and then counts at `counter`:
    /// mov edi, counter; mov ecx, count; then inc ebx; mov [edi], ebx; add edi, 4096; loop back.
    static func touchPages(_ count: UInt32) -> [UInt8] {
        [0xbf] + bytes(counter) + [0xb9] + bytes(count)
            + [0x43, 0x89, 0x1f, 0x81, 0xc7] + bytes(4096) + [0xe2, 0xf5] + self.count
    }

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

    static func bytes(_ value: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
}

/// Programs that sleep until an interrupt and count it. Tables and handler are written by
/// `InterruptTables`.
extension GuestProgram {
    /// Unmasks interrupt 4 at the first PIC, as vector 0x24, and switches on the serial port's
    /// interrupt for an empty transmitter.
    static let countSerialInterrupts: [UInt8] =
        enter
        + [(0x20, 0x11), (0x21, 0x20), (0x21, 4), (0x21, 1), (0x21, 0xef)].flatMap(outputByte)
        + [0x66, 0xba, 0xf9, 0x03, 0xb0, 0x02, 0xee] + sleepForEver

    /// Lets the local APIC's timer interrupt every millisecond, as vector 0x24.
    static let countTimerInterrupts: [UInt8] =
        enter
        + store(0x1ff, at: 0xfee0_00f0) + store(0xb, at: 0xfee0_03e0)
        + store(0x2_0024, at: 0xfee0_0320) + store(1_000_000, at: 0xfee0_0380) + sleepForEver

    /// Counts for ever, with tables that take interrupts.
    static let countWithTables: [UInt8] = enter + count

    /// Where the handler of the non-maskable interrupt counts.
    static let interruptCounter: UInt32 = 0x20_0010

    /// inc dword [interruptCounter]; jmp to itself
    static let nonMaskableHandler: [UInt8] =
        [0xff, 0x05] + bytes(interruptCounter) + [0xeb, 0xfe]

    /// Reads the serial port's interrupt identification, counts, ends the interrupt at both chips
    /// and sleeps again with an empty stack: mov dx, 0x3fa; in al, dx; inc dword [counter]; then as
    /// it says. There is no IRET, which KVM cannot emulate in protected mode.
    static let handler: [UInt8] =
        [0x66, 0xba, 0xfa, 0x03, 0xec, 0xff, 0x05] + bytes(counter) + outputByte((0x20, 0x20))
        + store(0, at: 0xfee0_00b0) + setStack + sleepForEver

    /// mov esp, 3 MiB
    private static let setStack: [UInt8] = [0xbc, 0, 0, 0x30, 0]

    /// The stack; lgdt; lidt
    private static let enter: [UInt8] =
        setStack + [0x0f, 0x01, 0x15] + bytes(InterruptTables.pointers)
        + [0x0f, 0x01, 0x1d] + bytes(InterruptTables.pointers + 8)

    /// sti; hlt; jmp to the hlt
    private static let sleepForEver: [UInt8] = [0xfb, 0xf4, 0xeb, 0xfd]

    /// mov al, value; out port, al
    private static func outputByte(_ access: (port: UInt8, value: UInt8)) -> [UInt8] {
        [0xb0, access.value, 0xe6, access.port]
    }
}
