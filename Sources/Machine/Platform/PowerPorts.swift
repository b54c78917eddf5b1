/// Claims the ports through which a guest resets or switches off its machine.
///
/// Three ways, because guests know different ones: the keyboard controller of the first PCs, the
/// reset register of PCI chipsets, and the ACPI sleep port where Cloud Hypervisor has it.
func insertPowerPorts(
    into ports: IOBus, report: @escaping @Sendable (GuestEvent) -> Void
) throws(BusError) {
    try ports.insert(KeyboardController(report: report), at: 0x64..<0x65)
    try ports.insert(ResetRegister(report: report), at: 0xcf9..<0xcfa)
    try ports.insert(SleepPort(report: report), at: PortLayout.sleep)
}

/// Just enough of a keyboard controller to pulse the reset line.
private final class KeyboardController: BusDevice {
    private let report: @Sendable (GuestEvent) -> Void

    init(report: @escaping @Sendable (GuestEvent) -> Void) {
        self.report = report
    }

    /// Nothing to read, ready for a command.
    func read(offset: UInt64, width: Int) -> UInt64 { 0 }

    func write(offset: UInt64, width: Int, value: UInt64) {
        if value & 0xff == 0xfe { report(.reset) }
    }
}

/// The reset control register of Intel's chipsets: bit 2 resets.
private final class ResetRegister: BusDevice {
    private let report: @Sendable (GuestEvent) -> Void

    init(report: @escaping @Sendable (GuestEvent) -> Void) {
        self.report = report
    }

    func read(offset: UInt64, width: Int) -> UInt64 { 0 }

    func write(offset: UInt64, width: Int, value: UInt64) {
        if value & 0x04 != 0 { report(.reset) }
    }
}

/// Cloud Hypervisor's ACPI shutdown device: 1 reboots; sleep type 5 with the enable bit, 0x34,
/// switches off (ACPI 6.5, section 4.8.3.7). It is the sleep status register as well, in which no
/// bit is ever set: nothing wakes this machine from a sleep.
private final class SleepPort: BusDevice {
    private let report: @Sendable (GuestEvent) -> Void

    init(report: @escaping @Sendable (GuestEvent) -> Void) {
        self.report = report
    }

    func read(offset: UInt64, width: Int) -> UInt64 { 0 }

    func write(offset: UInt64, width: Int, value: UInt64) {
        switch UInt8(truncatingIfNeeded: value) {
        case PortLayout.resetValue: report(.reset)
        case 1 << 5 | PortLayout.offSleepType << 2: report(.shutdown)
        default: break
        }
    }
}
