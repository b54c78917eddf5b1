public import StateCoding
internal import Synchronization

/// Configuration mechanism #1: an address written to port 0xcf8 chooses the four bytes that ports
/// 0xcfc to 0xcff reach (PCI Local Bus Specification 3.0, section 3.2.2.3.2).
public final class ConfigurationPorts: Sendable {
    /// The first byte of the address port. The other three are left to whoever claims them, such
    /// as the reset port 0xcf9: the address is written as a doubleword only.
    public static let addressPort: Range<UInt64> = 0xCF8..<0xCF9

    /// The data ports.
    public static let dataPorts: Range<UInt64> = 0xCFC..<0xD00

    private let latch: AddressLatch
    private let data: DataPorts

    /// The ports of a bus.
    public init(bus: PCIBus) {
        latch = AddressLatch()
        data = DataPorts(bus: bus, latch: latch)
    }

    /// Puts the ports on the bus of ports.
    public func insert(into ports: IOBus) throws(BusError) {
        try ports.insert(latch, at: Self.addressPort)
        try ports.insert(data, at: Self.dataPorts)
    }

    /// Writes the address that the guest has chosen.
    public func save(into writer: inout StateWriter) {
        writer.append(ConfigurationPortsState(address: latch.value))
    }

    /// Reads what `save` wrote.
    public func load(from reader: inout StateReader) throws(StateError) {
        latch.write(
            offset: 0, width: 4,
            value: UInt64(try reader.read(ConfigurationPortsState.self).address))
    }
}

/// The saved part of the configuration ports.
struct ConfigurationPortsState: VersionedState {
    static let name = "pci-ports"
    static let version: UInt16 = 1

    let address: UInt32

    init(address: UInt32) {
        self.address = address
    }

    func encode(into writer: inout StateWriter) {
        writer.append(address)
    }

    init(from reader: inout StateReader, version: UInt16) throws(StateError) {
        address = try reader.readUInt32()
    }
}

/// The register at port 0xcf8.
private final class AddressLatch: BusDevice {
    /// Bit 31 switches configuration accesses on; bits 30...24 and 1...0 read as 0.
    private static let implementedBits: UInt32 = 0x80FF_FFFC

    private let register = Atomic<UInt32>(0)

    var value: UInt32 { register.load(ordering: .relaxed) }

    func read(offset: UInt64, width: Int) -> UInt64 {
        width == 4 ? UInt64(value) : .max
    }

    func write(offset: UInt64, width: Int, value: UInt64) {
        guard width == 4 else { return }
        register.store(
            UInt32(truncatingIfNeeded: value) & Self.implementedBits, ordering: .relaxed)
    }
}

/// The registers at ports 0xcfc to 0xcff.
private final class DataPorts: BusDevice {
    private let bus: PCIBus
    private let latch: AddressLatch

    init(bus: PCIBus, latch: AddressLatch) {
        self.bus = bus
        self.latch = latch
    }

    func read(offset: UInt64, width: Int) -> UInt64 {
        guard let (address, register) = target(offset) else { return .max }
        return UInt64(bus.readConfiguration(address, offset: register, width: min(width, 4)))
    }

    func write(offset: UInt64, width: Int, value: UInt64) {
        guard let (address, register) = target(offset) else { return }
        bus.writeConfiguration(
            address, offset: register, width: min(width, 4),
            value: UInt32(truncatingIfNeeded: value))
    }

    private func target(_ offset: UInt64) -> (PCIAddress, Int)? {
        let chosen = latch.value
        guard chosen & 1 << 31 != 0, offset < 4 else { return nil }
        return (PCIAddress(portAddress: chosen), Int(chosen & 0xFC) + Int(offset))
    }
}
