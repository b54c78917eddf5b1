public import StateCoding
internal import Synchronization

/// PCI bus 0 with up to 32 devices of one function each, and the windows of memory addresses
/// behind its host bridge.
///
/// Devices get a slot and addresses when they are inserted, in the order of insertion, so that a
/// machine built again from the same configuration looks the same to its guest.
public final class PCIBus: Sendable {
    /// The number of slots.
    public static let slotCount = 32

    /// Bytes of configuration space that the ECAM window has for bus 0.
    public static let windowSize: UInt64 = 1 << 20

    private struct State {
        var slots: [(any PCIDevice)?]
        var windows: [AddressWindow]
    }

    private let memory: IOBus
    private let windows: [Range<UInt64>]
    private let state: Mutex<State>

    /// A bus with nothing but the host bridge at 00:00.0.
    ///
    /// - Parameters:
    ///   - memory: where the devices' memory ranges appear.
    ///   - windows: the addresses that such ranges may have; addresses are given out from the
    ///     first one that has room. Ranges with 32-bit addresses need one below 4 GiB.
    public init(memory: IOBus, windows: [Range<UInt64>]) {
        self.memory = memory
        self.windows = windows
        var slots = [(any PCIDevice)?](repeating: nil, count: Self.slotCount)
        let bridge = HostBridge()
        bridge.function.connect(owner: bridge, memory: memory, windows: [], addresses: [])
        slots[0] = bridge
        state = Mutex(State(slots: slots, windows: windows.map(AddressWindow.init)))
    }

    /// Puts a device into a slot and gives addresses to its memory ranges.
    ///
    /// - Parameter slot: the device number, or nil for the first free one.
    /// - Returns: where the device is.
    @discardableResult
    public func insert(
        _ device: any PCIDevice, slot wanted: Int? = nil
    ) throws(PCIError) -> PCIAddress {
        let result = state.withLock { state -> Result<PCIAddress, PCIError> in
            guard let slot = wanted ?? state.slots.firstIndex(where: { $0 == nil }) else {
                return .failure(.busFull(device: device.identifier))
            }
            guard state.slots.indices.contains(slot), state.slots[slot] == nil else {
                return .failure(.slotTaken(slot, device: device.identifier))
            }
            var windows = state.windows
            var addresses: [UInt64] = []
            for register in device.function.baseAddresses {
                guard let address = Self.take(register, from: &windows) else {
                    return .failure(.noAddresses(register.size, device: device.identifier))
                }
                addresses.append(address)
            }
            device.function.connect(
                owner: device, memory: memory, windows: self.windows, addresses: addresses)
            state.windows = windows
            state.slots[slot] = device
            return .success(PCIAddress(device: UInt8(slot)))
        }
        return try result.get()
    }

    /// Takes all devices off the bus, at the end of the machine: devices and bus own each other
    /// until then.
    public func removeAll() {
        let devices = state.withLock { state in
            defer { state.slots = Array(repeating: nil, count: Self.slotCount) }
            return state.slots
        }
        for device in devices { device?.function.disconnect() }
    }

    /// The device in a slot.
    public func device(at slot: Int) -> (any PCIDevice)? {
        state.withLock { $0.slots.indices.contains(slot) ? $0.slots[slot] : nil }
    }

    /// Reads 1, 2 or 4 bytes of configuration space; all ones where there is no function.
    public func readConfiguration(_ address: PCIAddress, offset: Int, width: Int) -> UInt32 {
        guard let device = device(at: address) else {
            return width >= 4 ? .max : (1 << UInt32(8 * max(width, 0))) - 1
        }
        return device.readConfiguration(offset: offset, width: width)
    }

    /// Writes 1, 2 or 4 bytes of configuration space; nothing happens where there is no function.
    public func writeConfiguration(
        _ address: PCIAddress, offset: Int, width: Int, value: UInt32
    ) {
        device(at: address)?.writeConfiguration(offset: offset, width: width, value: value)
    }

    private func device(at address: PCIAddress) -> (any PCIDevice)? {
        guard address.bus == 0, address.function == 0 else { return nil }
        return device(at: Int(address.device))
    }

    private static func take(
        _ register: BaseAddressRegister, from windows: inout [AddressWindow]
    ) -> UInt64? {
        for index in windows.indices {
            let limit: UInt64 = register.width == .bits32 ? 1 << 32 : .max
            if let address = windows[index].take(register.size, below: limit) { return address }
        }
        return nil
    }
}

/// The state of all devices on the bus.
extension PCIBus {
    /// Writes a component for each device, with its slot's number before it.
    public func save(into writer: inout StateWriter) {
        let devices = state.withLock { $0.slots }
        writer.component(Self.componentName, version: 1) { writer in
            writer.appendCount(devices.count { $0 != nil })
            for (slot, device) in devices.enumerated() {
                guard let device else { continue }
                writer.append(UInt8(slot))
                writer.component(device.identifier, version: 1) { device.save(into: &$0) }
            }
        }
    }

    /// Reads what `save` wrote on a bus with the same devices.
    public func load(from reader: inout StateReader) throws(StateError) {
        var bus = try reader.readComponent()
        guard bus.name == Self.componentName else {
            throw .unexpectedComponent(
                component: bus.reader.path, expected: Self.componentName)
        }
        guard bus.version == 1 else {
            throw .unsupportedVersion(
                component: bus.reader.path, version: bus.version, newest: 1)
        }
        let devices = state.withLock { $0.slots }
        let present = devices.count { $0 != nil }
        let count = try bus.reader.readCount(elementSize: 1)
        guard count == present else {
            throw bus.reader.invalid("it has \(count) devices, this machine has \(present)")
        }
        for (slot, device) in devices.enumerated() {
            guard let device else { continue }
            let savedSlot = try bus.reader.readUInt8()
            guard savedSlot == slot else {
                throw bus.reader.invalid("a device is in slot \(savedSlot), not in \(slot)")
            }
            try load(device, from: &bus.reader)
        }
        try bus.reader.finish()
    }

    private static var componentName: String { "pci" }

    private func load(
        _ device: any PCIDevice, from reader: inout StateReader
    ) throws(StateError) {
        var component = try reader.readComponent()
        guard component.name == device.identifier else {
            throw .unexpectedComponent(
                component: component.reader.path, expected: device.identifier)
        }
        guard component.version == 1 else {
            throw .unsupportedVersion(
                component: component.reader.path, version: component.version, newest: 1)
        }
        try device.load(from: &component.reader)
        try component.reader.finish()
    }
}
