import ControlAPI
import LinuxSystem
import Machine
import Virtio

/// Makes the devices that a configuration names, unbound, in the order of their PCI slots. The
/// order follows from the configuration alone, so that it is the same at both ends of a migration.
enum DeviceFactory {
    /// The components of PCI and virtio state, for the destination to compare.
    static let components =
        [
            ComponentVersion(name: "pci-ports", version: 1),
            ComponentVersion(name: "pci", version: 1),
        ] + VirtioPCITransport.components

    /// All devices of a guest.
    static func makeDevices(
        _ configuration: VmConfig, loop: EventLoop
    ) throws(GuestError) -> DeviceSet {
        var devices: [any VirtioDevice] = []
        for (index, disk) in configuration.disks.enumerated() {
            devices.append(try makeDisk(disk, index))
        }
        for (index, net) in configuration.net.enumerated() {
            devices.append(try makeNet(net, index))
        }
        devices.append(
            EntropyDevice(
                .init(
                    identifier: configuration.rng.id ?? "__rng",
                    source: configuration.rng.source)))
        if configuration.console.mode != .off {
            devices.append(makeConsole(configuration))
        }
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

    private static func makeNet(
        _ net: NetConfig, _ index: Int
    ) throws(GuestError) -> any VirtioDevice {
        let identifier = net.id ?? "_net\(index)"
        guard let address = net.mac.flatMap({ EthernetAddress($0) }) else {
            throw .configuration(
                "Network device \(identifier) has the address \(net.mac ?? "none"); give it one as "
                    + "in mac=02:00:00:00:00:01")
        }
        return NetDevice(
            NetConfiguration(
                identifier: identifier, tap: net.tap, address: address,
                maximumTransmissionUnit: net.mtu, queuePairs: Int(net.numQueues / 2),
                queueSize: net.queueSize, offloadsChecksums: net.offloadChecksum,
                offloadsSegmentation: net.offloadTSO))
    }

    private static func makeConsole(_ configuration: VmConfig) -> any VirtioDevice {
        ConsoleDevice(
            ConsoleConfiguration(
                identifier: configuration.console.id ?? "__console",
                output: SerialOutput(configuration.console),
                takesInput: configuration.serial.mode != .tty))
    }
}

extension VmConfig {
    /// Gives a random address to each network device that has none, before the guest first boots:
    /// from then on it is part of the configuration and moves with the guest.
    mutating func chooseEthernetAddresses() throws(SystemError) {
        for index in net.indices where net[index].mac == nil {
            net[index].mac = try EthernetAddress.random().description
        }
    }
}

extension SerialOutput {
    /// What the schema's virtio console says.
    fileprivate init(_ console: ConsoleConfig) {
        switch console.mode {
        case .tty: self = .standardStreams
        case .file: self = console.file.map { .file(path: $0) } ?? .null
        case .off, .null, .pty, .socket: self = .null
        }
    }
}
