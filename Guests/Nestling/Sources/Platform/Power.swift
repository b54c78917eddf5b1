import Intrinsics

/// The ways out. Which one works depends on the VMM, so all are tried in turn.
enum Power {
    /// What ACPI's tables name; nil where they name nothing.
    nonisolated(unsafe) static var sleepRegister: SleepRegister?

    /// Sleep type 5 and the bit that enables it.
    private static let sleepForGood: UInt8 = 5 << 2 | 1 << 5

    /// Switches the machine off; halts for good where that is impossible.
    static func off() -> Never {
        port_write16(0x604, 0x2000)  // QEMU q35: PM1a control, sleep type 0 and enable
        port_write8(0x600, sleepForGood)  // Martlet, Cloud Hypervisor
        sleepRegister?.write(sleepForGood)  // QEMU microvm
        call_stop()
    }

    /// Resets the machine: by the keyboard controller, the reset register, or, where both are
    /// missing, a fault that nobody can handle.
    static func reset() -> Never {
        port_write8(0x64, 0xfe)
        port_write8(0xcf9, 0x06)
        tripleFault()
    }

    /// A fault whose handler faults, and so on: the processor gives up.
    static func tripleFault() -> Never {
        pointer(interrupt_table_address(), to: UInt64.self).update(repeating: 0, count: 512)
        undefined_instruction()
    }
}
