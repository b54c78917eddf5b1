/// What a guest finds where the firmware of a PC starts: a reset, and nothing else.
///
/// Linux on a hardware-reduced machine asks UEFI for a reset and, where there is none, does what
/// the first PCs did: it goes back to real mode and jumps to ffff:0000 (`machine_real_restart` in
/// its `arch/x86/kernel/reboot.c`). Without code there the processor would run through zeros for
/// ever.
enum RealModeReset {
    /// The reset vector as real mode reaches it. Nothing in guest memory lies behind it in the
    /// firmware's range.
    static let address: UInt64 = 0xf_fff0

    /// `mov al, 0xfe; out 0x64, al`: pulse the reset line. Then `hlt; jmp` to the `hlt`, in case
    /// that anything goes on.
    static let code: [UInt8] = [0xb0, 0xfe, 0xe6, 0x64, 0xf4, 0xeb, 0xfd]
}
