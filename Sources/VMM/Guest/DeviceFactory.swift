import ControlAPI
import Machine
import Virtio

/// Makes the devices that a configuration names, unbound, in the order of their PCI slots. The
/// order follows from the configuration alone, so that it is the same at both ends of a migration.
enum DeviceFactory {
    /// The components of PCI and virtio state, for the destination to compare.
    static let components = [
        ComponentVersion(name: "pci-ports", version: 1),
        ComponentVersion(name: "pci", version: 1),
        ComponentVersion(name: VirtioPCIState.name, version: VirtioPCIState.version),
        ComponentVersion(name: "block", version: 1),
        ComponentVersion(name: "net", version: 1),
        ComponentVersion(name: "console", version: 1),
        ComponentVersion(name: "entropy", version: 1),
    ]

    /// All devices of a guest.
    static func makeDevices(
        _ configuration: VmConfig, loop: EventLoop
    ) throws(GuestError) -> DeviceSet {
        var devices: [any VirtioDevice] = []
        for (index, disk) in configuration.disks.enumerated() {
            devices.append(try makeDisk(disk, index))
        }
        devices.append(
            EntropyDevice(
                .init(
                    identifier: configuration.rng.id ?? configuration.rng.id ?? "__rng",
                    source: configuration.rng.source)))
        return DeviceSet(devices: devices)
    }

    private static func makeDisk(
        _ disk: DiskConfig, _ index: Int
    ) throws(GuestError) -> any VirtioDevice {
        let identifier = disk.id ?? "_disk\(index)"
        guard let path = disk.path else {
            throw .configuration("Disk \(identifier) has no path")
        }
        return BlockDevice(
            BlockConfiguration(
                identifier: identifier, path: path, isReadOnly: disk.readonly,
                isDirect: disk.direct, serial: disk.serial ?? "",
                queueCount: Int(disk.numQueues), queueSize: disk.queueSize))
    }
}
