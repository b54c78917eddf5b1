import Intrinsics

/// The ways out. Which one works depends on the VMM, so all are tried in turn.
enum Power {
    /// Switches the machine off; halts for good where that is impossible.
    static func off() -> Never {
        port_write16(0x604, 0x2000)  // QEMU: PM1a control, sleep type 0 and enable
        port_write8(0x600, 0x34)  // Martlet, Cloud Hypervisor: sleep type 5 and enable
        call_stop()
    }

    /// Resets the machine.
    static func reset() -> Never {
        port_write8(0x64, 0xfe)
        port_write8(0xcf9, 0x06)
        call_stop()
    }
}
