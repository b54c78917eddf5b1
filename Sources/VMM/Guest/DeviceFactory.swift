import ControlAPI
import LinuxSystem
import Machine
import Virtio

/// Makes the devices that a configuration names, unbound.
enum DeviceFactory {
    /// The components of PCI and virtio state, for the destination to compare.
    static let components =
        [
            ComponentVersion(name: "pci-ports", version: 1),
            ComponentVersion(name: "pci", version: 1),
        ] + VirtioPCITransport.components

    /// All devices of a guest, in the order of their slots.
    ///
    /// - Parameters:
    ///   - configuration: with a name and a slot for each.
    ///   - loop: where those work that have no thread of their own.
    static func makeDevices(
        _ configuration: VmConfig, loop: EventLoop
    ) throws(GuestError) -> [DeviceSet.Member] {
        var members: [DeviceSet.Member] = []
        for disk in configuration.disks { members.append(try makeDisk(disk)) }
        for net in configuration.net { members.append(try makeNet(net)) }
        let entropy = EntropyDevice(
            .init(
                identifier: configuration.rng.id ?? VmConfig.defaultRngName,
                source: configuration.rng.source))
        members.append(try member(entropy, configuration.rng.slot))
        if configuration.console.mode != .off {
            members.append(
                try member(
                    makeConsole(configuration, loop), configuration.console.slot))
        }
        return members.sorted { $0.slot < $1.slot }
    }

    /// A disk.
    static func makeDisk(_ disk: DiskConfig) throws(GuestError) -> DeviceSet.Member {
        guard let identifier = disk.id, let path = disk.path else {
            throw .configuration("Disk \(disk.id ?? "") has no name or no path")
        }
        let device = BlockDevice(
            BlockConfiguration(
                identifier: identifier, path: path, isReadOnly: disk.readonly,
                isDirect: disk.direct, isSparse: disk.sparse, serial: disk.serial ?? "",
                queueCount: Int(disk.numQueues), queueSize: disk.queueSize))
        return try member(device, disk.slot)
    }

    /// A network device.
    static func makeNet(_ net: NetConfig) throws(GuestError) -> DeviceSet.Member {
        let identifier = net.id ?? ""
        guard let address = net.mac.flatMap({ EthernetAddress($0) }) else {
            throw .configuration(
                "Network device \(identifier) has the address \(net.mac ?? "none"); give it one as "
                    + "in mac=02:00:00:00:00:01")
        }
        let device = NetDevice(
            NetConfiguration(
                identifier: identifier, tap: net.tap, address: address,
                maximumTransmissionUnit: net.mtu,
                hostAddress: net.hostAddress.flatMap { address in
                    NetConfiguration.HostAddress(
                        bytes: address.bytes, prefixLength: address.prefixLength)
                }, hostEthernetAddress: net.hostMAC.flatMap { EthernetAddress($0) },
                queuePairs: Int(net.numQueues / 2), queueSize: net.queueSize,
                offloadsChecksums: net.offloadChecksum, offloadsSegmentation: net.offloadTSO,
                offloadsDatagrams: net.offloadUFO))
        return try member(device, net.slot)
    }

    private static func member(
        _ device: any VirtioDevice, _ slot: UInt8?
    ) throws(GuestError) -> DeviceSet.Member {
        guard let slot else {
            throw .configuration("Device \(device.identifier) has no slot on the PCI bus")
        }
        return DeviceSet.Member(device, slot: Int(slot))
    }

    private static func makeConsole(
        _ configuration: VmConfig, _ loop: EventLoop
    ) throws(GuestError) -> any VirtioDevice {
        do throws(DeviceError) {
            return try ConsoleDevice(
                ConsoleConfiguration(
                    identifier: configuration.console.id ?? VmConfig.defaultConsoleName,
                    output: SerialOutput(
                        configuration.console.mode, file: configuration.console.file,
                        socket: configuration.console.socket),
                    takesInput: configuration.console.mode != .tty
                        || configuration.serial.mode != .tty),
                loop: loop)
        } catch {
            throw .machine("\(error)")
        }
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
