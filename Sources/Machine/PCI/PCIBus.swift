internal import Synchronization

/// PCI bus 0 with up to 32 devices of one function each, and the windows of memory addresses
/// behind its host bridge.
///
/// Devices get addresses when they are inserted, the lowest that no other has at that moment. So a
/// machine built again from the same configuration looks the same to its guest, and what a removed
/// device had is free again, also where the addresses have come with the state of a moved guest.
public final class PCIBus: Sendable {
    /// The number of slots.
    public static let slotCount = 32

    /// Bytes of configuration space that the ECAM window has for bus 0.
    public static let windowSize: UInt64 = 1 << 20

    struct Slot {
        let device: any PCIDevice
        var stage = PCISlotStage.present
    }

    let slots: Mutex<[Slot?]>
    private let memory: IOBus
    private let windows: [Range<UInt64>]

    /// A bus with nothing but the host bridge at 00:00.0.
    ///
    /// - Parameters:
    ///   - memory: where the devices' memory ranges appear.
    ///   - windows: the addresses that such ranges may have; addresses are given out from the
    ///     first one that has room. Ranges with 32-bit addresses need one below 4 GiB.
    public init(memory: IOBus, windows: [Range<UInt64>]) {
        self.memory = memory
        self.windows = windows
        var slots = [Slot?](repeating: nil, count: Self.slotCount)
        let bridge = HostBridge()
        bridge.function.connect(owner: bridge, memory: memory, windows: [], addresses: [])
        slots[0] = Slot(device: bridge)
        self.slots = Mutex(slots)
    }

    /// Puts a device into a slot and gives addresses to its memory ranges.
    ///
    /// - Parameter slot: the device number, or nil for the first free one.
    /// - Returns: where the device is.
    @discardableResult
    public func insert(
        _ device: any PCIDevice, slot wanted: Int? = nil
    ) throws(PCIError) -> PCIAddress {
        try slots.withLock { slots throws(PCIError) in
            guard let slot = wanted ?? slots.firstIndex(where: { $0 == nil }) else {
                throw .busFull(device: device.identifier)
            }
            guard slots.indices.contains(slot), slots[slot] == nil else {
                throw .slotTaken(slot, device: device.identifier)
            }
            let addresses = try chooseAddresses(for: device, beside: slots)
            device.function.connect(
                owner: device, memory: memory, windows: windows, addresses: addresses)
            slots[slot] = Slot(device: device)
            return PCIAddress(device: UInt8(slot))
        }
    }

    /// Takes a device off the bus; its slot and its addresses are free again. The host bridge stays.
    ///
    /// - Returns: the device, if there was one in the slot.
    @discardableResult
    public func remove(slot: Int) -> (any PCIDevice)? {
        guard slot != 0 else { return nil }
        let removed = slots.withLock { slots -> (any PCIDevice)? in
            guard slots.indices.contains(slot) else { return nil }
            defer { slots[slot] = nil }
            return slots[slot]?.device
        }
        removed?.function.disconnect()
        return removed
    }

    /// Takes all devices off the bus, at the end of the machine: devices and bus own each other
    /// until then.
    public func removeAll() {
        let removed = slots.withLock { slots in
            defer { slots = Array(repeating: nil, count: Self.slotCount) }
            return slots
        }
        for slot in removed { slot?.device.function.disconnect() }
    }

    /// The device in a slot, whatever its stage.
    public func device(at slot: Int) -> (any PCIDevice)? {
        slots.withLock { $0.indices.contains(slot) ? $0[slot]?.device : nil }
    }

    /// Reads 1, 2 or 4 bytes of configuration space; all ones where there is no function.
    public func readConfiguration(_ address: PCIAddress, offset: Int, width: Int) -> UInt32 {
        guard let device = answeringDevice(at: address) else {
            return width >= 4 ? .max : (1 << UInt32(8 * max(width, 0))) - 1
        }
        return device.readConfiguration(offset: offset, width: width)
    }

    /// Writes 1, 2 or 4 bytes of configuration space; nothing happens where there is no function.
    public func writeConfiguration(
        _ address: PCIAddress, offset: Int, width: Int, value: UInt32
    ) {
        answeringDevice(at: address)?.writeConfiguration(
            offset: offset, width: width, value: value)
    }

    private func answeringDevice(at address: PCIAddress) -> (any PCIDevice)? {
        guard address.bus == 0, address.function == 0 else { return nil }
        return slots.withLock { slots in
            guard let slot = slots[Int(address.device)], slot.stage != .ejected else { return nil }
            return slot.device
        }
    }

    /// The lowest free addresses for all ranges of a device.
    private func chooseAddresses(
        for device: any PCIDevice, beside slots: [Slot?]
    ) throws(PCIError) -> [UInt64] {
        var taken = slots.flatMap { $0?.device.function.ranges.map(\.addresses) ?? [] }
        var addresses: [UInt64] = []
        for register in device.function.baseAddresses {
            let limit: UInt64 = register.width == .bits32 ? 1 << 32 : .max
            let places = windows.lazy.compactMap { window in
                AddressWindow(range: window).place(
                    for: register.size, below: limit, avoiding: taken)
            }
            guard let address = places.first else {
                throw .noAddresses(register.size, device: device.identifier)
            }
            addresses.append(address)
            taken.append(address..<(address + register.size))
        }
        return addresses
    }
}

/// Devices that come and go while the guest runs.
extension PCIBus {
    /// Takes note that the guest was asked to eject a device.
    public func noteRemovalRequest(slot: Int) {
        slots.withLock { slots in
            guard slots.indices.contains(slot), slots[slot]?.stage == .present else { return }
            slots[slot]?.stage = .leaving
        }
    }

    /// The guest has ejected a device: from now on nothing answers in its slot. The device itself
    /// stays until `remove`, since at this moment it is perhaps not this process that will own it.
    ///
    /// - Returns: the device; nil when the slot has none, or one that was ejected before.
    @discardableResult
    public func eject(slot: Int) -> (any PCIDevice)? {
        guard slot != 0 else { return nil }
        let ejected = slots.withLock { slots -> (any PCIDevice)? in
            guard slots.indices.contains(slot), let device = slots[slot]?.device,
                slots[slot]?.stage != .ejected
            else { return nil }
            slots[slot]?.stage = .ejected
            return device
        }
        ejected?.function.disconnect()
        return ejected
    }

    /// The slots with a device in a stage, ascending.
    public func slots(in stage: PCISlotStage) -> [Int] {
        slots.withLock { slots in slots.indices.filter { slots[$0]?.stage == stage } }
    }
}
