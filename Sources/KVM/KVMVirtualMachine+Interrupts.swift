internal import CLinux
public import LinuxSystem

extension KVMVirtualMachine {
    /// Makes the PC's interrupt chips: two 8259, an IOAPIC, and a local APIC for each processor.
    public func createInterruptChips() throws(SystemError) {
        _ = try descriptor.request(CLINUX_KVM_CREATE_IRQCHIP, "create the interrupt chips of")
    }

    /// Makes the PC's interval timer. After the interrupt chips.
    public func createIntervalTimer() throws(SystemError) {
        var configuration = kvm_pit_config()
        // The kernel answers the port of the speaker, which shares the timer's gate.
        configuration.flags = UInt32(KVM_PIT_SPEAKER_DUMMY)
        // SAFETY: the structure of this request.
        try unsafe descriptor.request(
            CLINUX_KVM_CREATE_PIT2, "create the interval timer of", &configuration)
    }

    /// Where the interrupts of one number (GSI) go.
    public enum Route: Hashable, Sendable {
        /// To an input of a chip; the numbers of chips are those of `ChipState`.
        case pin(gsi: UInt32, chip: UInt32, pin: UInt32)
        /// To a local APIC, as a write of `data` to `address` by a PCI device would.
        case message(gsi: UInt32, address: UInt64, data: UInt32)

        fileprivate var kernel: kvm_irq_routing_entry {
            var entry = kvm_irq_routing_entry()
            switch self {
            case .pin(let gsi, let chip, let pin):
                entry.gsi = gsi
                entry.type = UInt32(KVM_IRQ_ROUTING_IRQCHIP)
                unsafe entry.u.irqchip = kvm_irq_routing_irqchip(irqchip: chip, pin: pin)
            case .message(let gsi, let address, let data):
                entry.gsi = gsi
                entry.type = UInt32(KVM_IRQ_ROUTING_MSI)
                unsafe entry.u.msi.address_lo = UInt32(truncatingIfNeeded: address)
                unsafe entry.u.msi.address_hi = UInt32(truncatingIfNeeded: address >> 32)
                unsafe entry.u.msi.data = data
            }
            return entry
        }
    }

    /// Replaces all routes, including those of the chips' pins.
    public func setRoutes(_ routes: [Route]) throws(SystemError) {
        var list = ListRequest(routes.map(\.kernel))
        let result = list.perform(CLINUX_KVM_SET_GSI_ROUTING, on: descriptor)
        guard result >= 0 else {
            throw SystemError(
                "route \(routes.count) interrupts of", descriptor.name, Errno(rawValue: -result))
        }
    }

    /// Raises the interrupt whenever the event is signalled, until `detach`.
    public func attach(
        _ event: borrowing EventDescriptor, gsi: UInt32
    ) throws(SystemError) {
        try setInterruptEvent(event, gsi, flags: 0, "attach")
    }

    /// Undoes `attach`. The kernel has delivered what was signalled before when this returns.
    public func detach(
        _ event: borrowing EventDescriptor, gsi: UInt32
    ) throws(SystemError) {
        try setInterruptEvent(event, gsi, flags: UInt32(KVM_IRQFD_FLAG_DEASSIGN), "detach")
    }

    private func setInterruptEvent(
        _ event: borrowing EventDescriptor, _ gsi: UInt32, flags: UInt32, _ verb: String
    ) throws(SystemError) {
        var structure = kvm_irqfd()
        structure.fd = UInt32(bitPattern: event.descriptor.rawValue)
        structure.gsi = gsi
        structure.flags = flags
        // SAFETY: the structure of this request.
        try unsafe descriptor.request(
            CLINUX_KVM_IRQFD, "\(verb) \(event.descriptor.name) as interrupt \(gsi) of",
            &structure)
    }

    /// Raises or lowers the line of an interrupt that has one.
    public func setLine(gsi: UInt32, raised: Bool) throws(SystemError) {
        var structure = kvm_irq_level()
        structure.irq = gsi
        structure.level = raised ? 1 : 0
        // SAFETY: the structure of this request.
        try unsafe descriptor.request(
            CLINUX_KVM_IRQ_LINE, "set interrupt \(gsi) of", &structure)
    }

    /// Delivers one interrupt message.
    /// - Returns: Whether a processor took it; false when the guest has it blocked.
    public func signalMessage(address: UInt64, data: UInt32) throws(SystemError) -> Bool {
        var message = kvm_msi()
        message.address_lo = UInt32(truncatingIfNeeded: address)
        message.address_hi = UInt32(truncatingIfNeeded: address >> 32)
        message.data = data
        let result = unsafe clinux_ioctl_pointer(
            descriptor.rawValue, CLINUX_KVM_SIGNAL_MSI, &message)
        guard result >= 0 else {
            throw SystemError(
                "signal an interrupt message of", descriptor.name, Errno(rawValue: -result))
        }
        return result > 0
    }
}
