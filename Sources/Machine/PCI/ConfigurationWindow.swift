/// The memory-mapped configuration space (ECAM): 4 KiB for each function, at an offset made of its
/// bus, device and function number (PCI Express Base Specification, section 7.2.2).
public final class ConfigurationWindow: BusDevice {
    private let bus: PCIBus

    /// The window of a bus. Whatever its length on the memory bus, only bus 0 has functions.
    public init(bus: PCIBus) {
        self.bus = bus
    }

    /// Reads 1, 2, 4 or 8 bytes of a function.
    public func read(offset: UInt64, width: Int) -> UInt64 {
        let address = PCIAddress(windowOffset: offset)
        let register = Int(offset & 0xFFF)
        let low = bus.readConfiguration(address, offset: register, width: min(width, 4))
        guard width == 8 else { return UInt64(low) }
        let high = bus.readConfiguration(address, offset: register + 4, width: 4)
        return UInt64(low) | UInt64(high) << 32
    }

    /// Writes 1, 2, 4 or 8 bytes of a function.
    public func write(offset: UInt64, width: Int, value: UInt64) {
        let address = PCIAddress(windowOffset: offset)
        let register = Int(offset & 0xFFF)
        bus.writeConfiguration(
            address, offset: register, width: min(width, 4),
            value: UInt32(truncatingIfNeeded: value)
        )
        guard width == 8 else { return }
        bus.writeConfiguration(
            address, offset: register + 4, width: 4, value: UInt32(truncatingIfNeeded: value >> 32))
    }
}
