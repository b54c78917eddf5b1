public import StateCoding
internal import Synchronization

/// The state of all devices on the bus.
extension PCIBus {
    /// Writes a component for each device, with its slot's number and its stage before it.
    public func save(into writer: inout StateWriter) {
        let slots = slots.withLock { $0 }
        writer.component(Self.componentName, version: 1) { writer in
            writer.appendCount(slots.count { $0 != nil })
            for (number, slot) in slots.enumerated() {
                guard let slot else { continue }
                writer.append(UInt8(number))
                writer.append(slot.stage.rawValue)
                writer.component(slot.device.identifier, version: 1) {
                    slot.device.save(into: &$0)
                }
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
        let slots = slots.withLock { $0 }
        let present = slots.count { $0 != nil }
        let count = try bus.reader.readCount(elementSize: 2)
        guard count == present else {
            throw bus.reader.invalid("it has \(count) devices, this machine has \(present)")
        }
        for (number, slot) in slots.enumerated() {
            guard let slot else { continue }
            let savedSlot = try bus.reader.readUInt8()
            guard savedSlot == number else {
                throw bus.reader.invalid("a device is in slot \(savedSlot), not in \(number)")
            }
            let savedStage = try bus.reader.readUInt8()
            guard let stage = PCISlotStage(rawValue: savedStage) else {
                throw bus.reader.invalid("slot \(number) is in the unknown stage \(savedStage)")
            }
            try load(slot.device, from: &bus.reader)
            enter(stage, slot: number)
        }
        try bus.reader.finish()
    }

    private func enter(_ stage: PCISlotStage, slot: Int) {
        switch stage {
        case .present: break
        case .leaving: noteRemovalRequest(slot: slot)
        case .ejected: eject(slot: slot)
        }
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
