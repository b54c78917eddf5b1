/// Why a device cannot be put on a PCI bus.
public enum PCIError: Error, Hashable, Sendable {
    /// All slots have a device.
    case busFull(device: String)
    /// The slot has a device, or there is no such slot.
    case slotTaken(Int, device: String)
    /// The windows have no room for a range of so many bytes.
    case noAddresses(UInt64, device: String)
}

extension PCIError: CustomStringConvertible {
    /// One sentence: the device, the reason, what can be done.
    public var description: String {
        switch self {
        case .busFull(let device):
            "Device \(device) does not fit on the PCI bus: all \(PCIBus.slotCount) slots are "
                + "taken; give the guest fewer devices"
        case .slotTaken(let slot, let device):
            "Device \(device) cannot be put into PCI slot \(slot): it is taken or does not exist; "
                + "choose another one from 1 to \(PCIBus.slotCount - 1)"
        case .noAddresses(let size, let device):
            "Device \(device) needs \(size) bytes of addresses that the PCI bus does not have; "
                + "give the guest fewer devices"
        }
    }
}
