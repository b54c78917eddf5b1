public import LinuxSystem

/// Where the interrupts of one global system interrupt number (GSI) go.
public enum InterruptRoute: Hashable, Sendable {
    /// To an input of an interrupt chip.
    case pin(gsi: UInt32, chip: InterruptChipInput, pin: UInt32)

    /// To a processor's local APIC, as a write of `data` to `address` by a PCI device would.
    case message(gsi: UInt32, address: UInt64, data: UInt32)
}

/// The chips that have inputs.
public enum InterruptChipInput: UInt32, Hashable, Sendable {
    /// The 8259 with the interrupts 0 to 7.
    case primaryPIC = 0

    /// The 8259 with the interrupts 8 to 15.
    case secondaryPIC = 1

    /// The IOAPIC.
    case ioAPIC = 2
}

/// What the router needs from the interrupt chip: KVM's in the guest, or a recorder in tests.
public protocol InterruptChip: AnyObject, Sendable {
    /// Replaces all routes.
    func setRoutes(_ routes: [InterruptRoute]) throws(SystemError)

    /// Raises the interrupt `gsi` whenever `event` is signalled, until `detach`.
    func attach(_ event: borrowing EventDescriptor, to gsi: UInt32) throws(SystemError)

    /// Undoes `attach`. When this returns, no interrupt of an earlier signal is still under way.
    func detach(_ event: borrowing EventDescriptor, from gsi: UInt32) throws(SystemError)
}
