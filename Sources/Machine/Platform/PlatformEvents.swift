/// What the machine tells its guest through ACPI: that somebody pressed the power button, and that
/// devices come and go on the PCI bus; and what the guest tells of itself.
///
/// Behind the first is a generic event device (ACPI 6.5, section 5.6.9): one interrupt, and registers at
/// ports of their own which the byte code in the DSDT reads.
public final class PlatformEvents: Sendable {
    /// Devices that come and go on the PCI bus.
    public let hotPlug: PCIHotPlug

    let registers: EventRegisters
    let panicPort: PanicPort

    /// - Parameter onPanic: told that the guest's kernel cannot go on.
    init(interrupt: InterruptLine, onPanic: @escaping @Sendable () -> Void) {
        panicPort = PanicPort(onPanic: onPanic)
        registers = EventRegisters(interrupt: interrupt)
        hotPlug = PCIHotPlug(registers: registers)
    }

    /// Presses and releases the power button, from any thread. What the guest makes of it is up to
    /// the guest; one that is paused gets to know when it runs again.
    public func pressPowerButton() {
        registers.raise(.powerButton)
    }

    /// Sets who is told that the guest's kernel has panicked and starts its crash kernel. The guest
    /// goes on, so this is no `GuestEvent`. Called on the thread of a processor, which it must not
    /// block.
    public func onCrashKernelStart(_ handler: @escaping @Sendable () -> Void) {
        panicPort.setCrashKernelHandler(handler)
    }
}

/// Tells the guest of devices on the PCI bus that are there now, or that it shall give up.
public final class PCIHotPlug: Sendable {
    private let registers: EventRegisters

    init(registers: EventRegisters) {
        self.registers = registers
    }

    /// A device was inserted into a slot: the guest looks there for it. From any thread.
    ///
    /// - Parameter slot: 1 to 31; others do nothing, since no device comes or goes there.
    public func deviceAdded(slot: Int) {
        guard let bit = EventRegisters.bit(ofSlot: slot) else { return }
        registers.raise(.slots, added: bit)
    }

    /// Asks the guest to give a device up; `onEject` tells when it has. From any thread. A guest
    /// may never answer, and may be asked again.
    ///
    /// - Parameter slot: 1 to 31; others do nothing.
    public func requestRemoval(slot: Int) {
        guard let bit = EventRegisters.bit(ofSlot: slot) else { return }
        registers.raise(.slots, leaving: bit)
    }

    /// Sets who is told that the guest has ejected what is in a slot, whether it was asked to or
    /// not, and whether there is a device or not. The guest does not run on until the handler
    /// returns; it is called on the thread of the processor that did it.
    public func onEject(_ handler: @escaping @Sendable (_ slot: Int) -> Void) {
        registers.setEjectHandler(handler)
    }
}
