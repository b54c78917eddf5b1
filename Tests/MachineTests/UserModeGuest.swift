import GuestMemory
import KVM
import Testing

@testable import Machine

/// Guests whose code runs at the least privileged level from its first instruction: every KVM runs it
/// directly on the processor, also a software one that emulates privileged code.
extension TestGuest {
    /// A guest that writes to so many pages from `GuestProgram.counter` on and then counts there.
    ///
    /// - Parameter memory: at most 256 MiB from address 0 on are mapped.
    static func touchingPages(
        _ count: UInt64, memory: GuestRAM, adjust: (inout PlatformConfiguration) -> Void
    ) throws -> TestGuest {
        let guest = try TestGuest(code: [], memory: memory, loads: false, adjust: adjust)
        // Page tables: each entry present, writable, for user mode, accessed and dirty.
        try memory.store(UInt64(0x3067), at: GuestAddress(0x2000))
        try memory.store(UInt64(0x4067), at: GuestAddress(0x3000))
        for index in 0..<128 as Range<UInt64> {
            try memory.store(index << 21 | 0xe7, at: GuestAddress(0x4000 + 8 * index))
        }
        for (offset, byte) in touchPages.enumerated() {
            try memory.store(byte, at: GuestAddress(0x1000 + UInt64(offset)))
        }
        let processor = guest.platform.processors[0]
        var special = try #require(
            SpecialRegisters(bytes: try processor.hardware.state(.specialRegisters)))
        special.enterLongMode()
        special.cr3 = 0x2000
        (special.cs.selector, special.cs.privilegeLevel) = (0x33, 3)
        var data = special.ds
        (data.selector, data.privilegeLevel) = (0x2b, 3)
        (special.ds, special.es, special.fs, special.gs) = (data, data, data, data)
        special.ss = data
        try processor.hardware.setState(.specialRegisters, special.bytes)
        var general = GeneralRegisters()
        general[.rip] = 0x1000
        general[.rdi] = UInt64(GuestProgram.counter)
        general[.rcx] = count
        try processor.hardware.setState(.generalRegisters, general.bytes)
        return guest
    }

    /// 64-bit code: inc ebx; mov [rdi], ebx; add rdi, 4096; dec ecx; jnz back; then inc ebx;
    /// mov [counter], ebx; jmp back.
    private static let touchPages: [UInt8] =
        [
            0xff, 0xc3, 0x89, 0x1f, 0x48, 0x81, 0xc7, 0x00, 0x10, 0x00, 0x00, 0xff, 0xc9, 0x75,
            0xf1,
        ] + [0xff, 0xc3, 0x89, 0x1c, 0x25] + GuestProgram.bytes(GuestProgram.counter)
        + [0xeb, 0xf5]
}
