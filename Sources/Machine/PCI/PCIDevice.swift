public import StateCoding

/// A device with one function on a PCI bus.
public protocol PCIDevice: PCIFunctionOwner {
    /// The name of the device, unique in a guest, such as "_disk0". The state of the device is
    /// found by it.
    var identifier: String { get }

    /// Its function.
    var function: PCIFunction { get }

    /// Reads 1, 2 or 4 bytes of its configuration space for the guest.
    func readConfiguration(offset: Int, width: Int) -> UInt32

    /// Writes 1, 2 or 4 bytes of its configuration space for the guest.
    func writeConfiguration(offset: Int, width: Int, value: UInt32)

    /// Writes all of its state, that of its function included. Nothing runs meanwhile.
    func save(into writer: inout StateWriter)

    /// Reads what `save` wrote into a device that never ran.
    func load(from reader: inout StateReader) throws(StateError)
}
