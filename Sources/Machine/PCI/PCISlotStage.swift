/// How far a device on the PCI bus is on its way out. It is saved with the bus: whichever process
/// owns the guest in the end takes the device out.
public enum PCISlotStage: UInt8, Hashable, Sendable {
    /// The guest has it.
    case present = 0
    /// The guest has it, and was asked to eject it.
    case leaving = 1
    /// The guest has ejected it: it answers no more, and waits for its owner to take it out.
    case ejected = 2
}
