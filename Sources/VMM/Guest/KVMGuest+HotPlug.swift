import ControlAPI
import Machine
import Virtio

/// Devices that come and go while the guest is there.
///
/// Adding and taking out are the owner's, that is, the control thread's while no migration is
/// running. Ejecting is the guest's: it comes on the thread of a vCPU, at any time in which vCPUs
/// run. The two meet in the stage of the slot on the bus, which is saved with the guest; so a device
/// that is ejected while the guest is on its way is taken out at the end that owns the guest then.
extension KVMGuest {
    /// Puts a device into the guest. When it fails, the guest is as it was.
    ///
    /// - Parameters:
    ///   - member: a device that was just made.
    ///   - configuration: that of the guest with the device in it.
    /// - Returns: its name and place.
    func add(
        _ member: DeviceSet.Member, _ configuration: VmConfig
    ) throws(GuestError) -> AddedDevice {
        do {
            try member.device.bind()
            try member.device.takeOver(nil)
            // A paused guest resumes all of its devices together.
            if platform.isRunning { try member.device.resume() }
            // From here on the guest can find it, and eject it: it is one of its devices before.
            devices.add(member)
            try insert(member)
        } catch {
            devices.remove(slot: member.slot)
            member.device.letGo()
            throw .machine("\(error)")
        }
        setConfiguration(configuration)
        platform.events.hotPlug.deviceAdded(slot: member.slot)
        return AddedDevice(
            id: member.device.identifier,
            bdf: "\(PCIAddress(device: UInt8(truncatingIfNeeded: member.slot)))")
    }

    /// Gives a disk another size, which the guest is told of.
    func resizeDisk(named identifier: String, to byteCount: UInt64) throws(DeviceError) {
        for member in devices.members where member.device.identifier == identifier {
            guard let disk = member.device as? BlockDevice, !member.isEjected else { continue }
            return try disk.resize(to: byteCount)
        }
        throw .unbound(device: identifier)
    }

    /// Asks the guest to eject a device; `removeEjected` takes it out when it has.
    func requestRemoval(of identifier: String) {
        guard let member = devices.members.first(where: { $0.device.identifier == identifier })
        else { return }
        bus.noteRemovalRequest(slot: member.slot)
        platform.events.hotPlug.requestRemoval(slot: member.slot)
    }

    /// The guest has ejected what is in a slot; called on the thread of the vCPU that did. The
    /// device is quiet and invisible when this returns.
    func eject(slot: Int) {
        let isRemovable = devices.members.contains { $0.slot == slot && $0.isRemovable }
        guard isRemovable, bus.eject(slot: slot) != nil else { return }
        devices.eject(slot: slot)
        notify(.ejected)
    }

    /// Takes out what the guest has ejected; its backends are closed.
    ///
    /// - Returns: the names of the devices that are gone.
    func removeEjected() -> [String] {
        bus.slots(in: .ejected).compactMap { slot in
            guard let member = devices.remove(slot: slot) else { return nil }
            member.device.letGo()
            bus.remove(slot: slot)
            var configuration = configuration
            configuration.removeDevice(named: member.device.identifier)
            setConfiguration(configuration)
            return member.device.identifier
        }
    }

    /// What the guest is built from when it starts anew: without the devices that it was asked to
    /// give up, since from its reset on it uses none.
    var configurationAtReset: VmConfig {
        let leaving = Set(bus.slots(in: .leaving) + bus.slots(in: .ejected))
        var configuration = configuration
        for member in devices.members where leaving.contains(member.slot) {
            configuration.removeDevice(named: member.device.identifier)
        }
        return configuration
    }
}
