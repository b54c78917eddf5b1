/// The tables without byte code.
extension FirmwareTables {
    /// The FADT: what kind of machine this is, and how it is switched off and started anew
    /// (ACPI 6.5, section 5.2.9).
    func fixedDescription(systemDescription: UInt64) -> ACPITable {
        var table = ACPITable("FACP", revision: 6, count: 276)
        table.put(UInt16(BootArchitecture.all), at: 109)
        table.put(FixedFlags.all, at: 112)
        table.put(port: PortLayout.sleep.lowerBound, at: 116)  // RESET_REG
        table.put(PortLayout.resetValue, at: 128)
        table.put(5 as UInt8, at: 131)  // of revision 6.5
        table.put(systemDescription, at: 140)
        table.put(port: PortLayout.sleep.lowerBound, at: 244)  // SLEEP_CONTROL_REG
        table.put(port: PortLayout.sleep.lowerBound, at: 256)  // SLEEP_STATUS_REG
        table.put(Array("Martlet".utf8), at: 268)
        return table
    }

    /// The MADT: local APICs, the IOAPIC and how interrupts reach them (section 5.2.12).
    ///
    /// The interrupts of ISA devices have the same number everywhere, so no override is needed:
    /// KVM wires interrupt n to input n of its IOAPIC.
    var interruptDescription: ACPITable {
        var table = ACPITable("APIC", revision: 5)
        table.append(number: UInt32(truncatingIfNeeded: PhysicalLayout.localAPIC))
        table.append(number: 1 as UInt32)  // a pair of 8259 is there as well
        for processor in 0..<processorCount {
            // A local APIC, with its processor's number in the namespace; enabled.
            let identifier = UInt8(truncatingIfNeeded: processor)
            table.append([0, 8, identifier, identifier, 1, 0, 0, 0])
        }
        table.append([1, 12, 0, 0])  // IOAPIC 0
        table.append(number: UInt32(truncatingIfNeeded: PhysicalLayout.ioAPIC))
        table.append(number: 0 as UInt32)  // its inputs are the interrupts from 0 on
        // Non-maskable interrupts come in at LINT1 of all processors, active high, by edge.
        table.append([4, 6, 0xff, 0b0101, 0, 1])
        return table
    }

    /// The MCFG: where the configuration space of the PCI bus is mapped (PCI Firmware
    /// Specification 3.3, section 4.1.2).
    var configurationSpaceDescription: ACPITable {
        var table = ACPITable("MCFG", revision: 1)
        table.append(number: 0 as UInt64)
        table.append(number: PhysicalLayout.pciConfiguration.lowerBound)
        table.append(number: 0 as UInt16)  // segment
        table.append([0, 0])  // the first and the last bus
        table.append(number: 0 as UInt32)
        return table
    }

    /// IAPC_BOOT_ARCH (section 5.2.9.3): bits that say what a PC has and this machine lacks. The
    /// keyboard controller's bit is clear: what answers at its port does resets and nothing else.
    private enum BootArchitecture {
        static let noVideo: UInt16 = 1 << 2
        static let noPowerSaving: UInt16 = 1 << 4  // PCI Express links have no power states
        static let noRealTimeClock: UInt16 = 1 << 5
        static let all = noVideo | noPowerSaving | noRealTimeClock
    }

    /// Flags (section 5.2.9).
    private enum FixedFlags {
        static let flushesCaches: UInt32 = 1 << 0
        static let processorHalts: UInt32 = 1 << 2  // the power state C1 works
        static let noFixedPowerButton: UInt32 = 1 << 4
        static let noFixedSleepButton: UInt32 = 1 << 5
        static let noFixedClockWakeUp: UInt32 = 1 << 6
        static let hasResetRegister: UInt32 = 1 << 10
        static let isHardwareReduced: UInt32 = 1 << 20
        static let all =
            flushesCaches | processorHalts | noFixedPowerButton | noFixedSleepButton
            | noFixedClockWakeUp | hasResetRegister | isHardwareReduced
    }
}
