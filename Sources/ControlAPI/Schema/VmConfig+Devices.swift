/// The devices of a guest as a whole: their names, their slots on the PCI bus, and which there are.
///
/// Names and slots are given once, when the guest is created and booted, and are part of its
/// configuration from then on. So a guest that devices were added to and removed from is built the
/// same again after a reboot and at the destination of a migration.
extension VmConfig {
    /// The slots that devices can have; the host bridge is in slot 0.
    public static let slots: ClosedRange<UInt8> = 1...31

    /// The name of the entropy device where it has no other.
    public static let defaultRngName = "__rng"
    /// The name of the virtio console where it has no other.
    public static let defaultConsoleName = "__console"
    /// The name of the serial port.
    public static let serialName = "__serial"

    /// What a name stands for.
    public enum NamedDevice: Equatable, Sendable {
        /// The disk at this place of `disks`.
        case disk(Int)
        /// The network device at this place of `net`.
        case net(Int)
        /// A device that every guest keeps, such as the serial port.
        case permanent
    }

    /// The device of this name; nil when there is none.
    public func device(named id: String) -> NamedDevice? {
        if let index = disks.firstIndex(where: { $0.id == id }) { return .disk(index) }
        if let index = net.firstIndex(where: { $0.id == id }) { return .net(index) }
        let isPermanent = id == Self.serialName || virtioDevices.contains { $0.name == id }
        return isPermanent ? .permanent : nil
    }

    /// Appends a disk and gives it a name, unless something of it belongs to another device.
    /// - Returns: its path, which errors about it begin with.
    public mutating func add(_ disk: DiskConfig) throws(SchemaError) -> String {
        try refuseDuplicates(of: disk.id, disk.slot)
        disks.append(disk)
        nameDevices()
        return "disks[\(disks.count - 1)]"
    }

    /// Appends a network device and gives it a name, unless something of it belongs to another
    /// device.
    /// - Returns: its path, which errors about it begin with.
    public mutating func add(_ device: NetConfig) throws(SchemaError) -> String {
        try refuseDuplicates(of: device.id, device.slot)
        net.append(device)
        nameDevices()
        return "net[\(net.count - 1)]"
    }

    private func refuseDuplicates(of name: String?, _ slot: UInt8?) throws(SchemaError) {
        if let name, device(named: name) != nil {
            throw .duplicate(path: "id", reason: "is '\(name)', which the guest has already")
        }
        if let slot, let owner = virtioDevices.first(where: { $0.slot == slot }) {
            throw .invalid(
                path: "pci_device_id",
                reason: "is \(slot), where \(owner.name ?? owner.path) is already")
        }
    }

    /// Takes a disk or network device out; does nothing when there is none of this name.
    public mutating func removeDevice(named id: String) {
        disks.removeAll { $0.id == id }
        net.removeAll { $0.id == id }
    }

    /// Gives a name to each disk and network device that has none.
    public mutating func nameDevices() {
        var names = Set(virtioDevices.compactMap(\.name) + [Self.serialName])
        func free(_ prefix: String) -> String {
            var number = 0
            while !names.insert("\(prefix)\(number)").inserted { number += 1 }
            return "\(prefix)\(number)"
        }
        for index in disks.indices where disks[index].id == nil { disks[index].id = free("_disk") }
        for index in net.indices where net[index].id == nil { net[index].id = free("_net") }
    }

    /// Gives a slot to each device on the PCI bus that has none: the lowest one that is free.
    /// - Throws: when there are more devices than slots.
    public mutating func placeDevices() throws(SchemaError) {
        var free = Set(Self.slots).subtracting(virtioDevices.compactMap(\.slot)).sorted()[...]
        func place(_ slot: inout UInt8?, at path: String) throws(SchemaError) {
            if slot != nil { return }
            guard let lowest = free.popFirst() else { throw Self.busFull(path) }
            slot = lowest
        }
        for index in disks.indices {
            try place(&disks[index].slot, at: "disks[\(index)]")
        }
        for index in net.indices {
            try place(&net[index].slot, at: "net[\(index)]")
        }
        try place(&rng.slot, at: "rng")
        if console.mode != .off { try place(&console.slot, at: "console") }
    }

    /// Whether each device finds a slot.
    public var fitsTheBus: Bool { virtioDevices.count <= Self.slots.count }

    static func busFull(_ path: String) -> SchemaError {
        .invalid(
            path: path,
            reason: "does not fit on PCI bus 0, which has room for \(slots.count) devices; remove "
                + "one, or give the guest fewer")
    }

    func validateIdentifiers() throws(SchemaError) {
        var owners = [Self.serialName: "serial"]
        for device in virtioDevices {
            guard let name = device.name else { continue }
            try Check.identifier(name, at: "\(device.path).id")
            if let owner = owners.updateValue("\(device.path).id", forKey: name) {
                throw .duplicate(
                    path: "\(device.path).id", reason: "is '\(name)', which is \(owner) already")
            }
        }
    }

    func validateSlots() throws(SchemaError) {
        guard fitsTheBus else { throw Self.busFull("disks") }
        var owners: [UInt8: String] = [:]
        for device in virtioDevices {
            guard let slot = device.slot else { continue }
            let path = "\(device.path).pci_device_id"
            guard Self.slots.contains(slot) else {
                throw .invalid(
                    path: path,
                    reason: "must be from \(Self.slots.lowerBound) to \(Self.slots.upperBound), "
                        + "not \(slot)")
            }
            if let owner = owners.updateValue(path, forKey: slot) {
                throw .invalid(path: path, reason: "is \(slot), which is \(owner) already")
            }
        }
    }

    /// A device on the PCI bus.
    private struct Device {
        let path: String
        let name: String?
        let slot: UInt8?
    }

    /// All devices on the PCI bus, in the order in which slots are given out.
    private var virtioDevices: [Device] {
        var devices =
            disks.enumerated().map { Device(path: "disks[\($0)]", name: $1.id, slot: $1.slot) }
            + net.enumerated().map { Device(path: "net[\($0)]", name: $1.id, slot: $1.slot) }
        devices.append(
            Device(path: "rng", name: rng.id ?? Self.defaultRngName, slot: rng.slot))
        if console.mode != .off {
            devices.append(
                Device(
                    path: "console", name: console.id ?? Self.defaultConsoleName,
                    slot: console.slot))
        }
        return devices
    }
}
