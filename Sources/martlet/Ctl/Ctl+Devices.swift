import ArgumentParser
import ControlAPI

extension Ctl {
    /// `vm.add-disk`.
    struct AddDisk: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add-disk",
            abstract: "Adds a disk; prints its name and its place on the PCI bus.",
            discussion: """
                A guest that has not been booted gets it in its configuration, and nothing is \
                printed.

                Example: add-disk path=/srv/data.raw,readonly=on
                """)
        @OptionGroup var target: ControlTarget

        @Argument(
            help: ArgumentHelp(
                "The disk, as run --disk takes it.", valueName: "path=PATH[,readonly=][,id=]..."),
            completion: .keys(of: DiskConfig.self),
            transform: { try DiskConfig(option: $0) })
        var disk: DiskConfig

        func run() throws {
            target.show(try target.call { try $0.addDisk(disk) })
        }
    }

    /// `vm.add-net`.
    struct AddNet: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add-net",
            abstract: "Adds a network device; prints its name and its place on the PCI bus.",
            discussion: """
                A guest that has not been booted gets it in its configuration, and nothing is \
                printed.

                Example: add-net tap=tap1,mac=02:00:00:00:00:02
                """)
        @OptionGroup var target: ControlTarget

        @Argument(
            help: ArgumentHelp(
                "The device, as run --net takes it.", valueName: "tap=NAME[,mac=][,id=]..."),
            completion: .keys(of: NetConfig.self),
            transform: { try NetConfig(option: $0) })
        var net: NetConfig

        func run() throws {
            target.show(try target.call { try $0.addNet(net) })
        }
    }

    /// `vm.remove-device`.
    struct RemoveDevice: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove-device",
            abstract: "Asks the guest to give up a disk or network device.",
            discussion: """
                The device is gone when the guest has done so (event device-removed; info no \
                longer shows it), which is up to the guest.
                """)
        @OptionGroup var target: ControlTarget

        @Argument(help: "Name of the device; info shows it.")
        var id: String

        func run() throws { try target.call { try $0.removeDevice(id) } }
    }

    /// `vm.resize-disk`.
    struct ResizeDisk: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "resize-disk",
            abstract: "Gives a disk another size and tells the guest.",
            discussion: "Example: resize-disk id=_disk0,size=20G")
        @OptionGroup var target: ControlTarget

        @Argument(
            help: ArgumentHelp("The disk and its size.", valueName: "id=NAME,size=SIZE"),
            completion: .keys(of: ResizeDiskData.self),
            transform: { try ResizeDiskData(option: $0) })
        var resize: ResizeDiskData

        func run() throws { try target.call { try $0.resizeDisk(resize) } }
    }

    /// `vm.power-button`.
    struct PowerButton: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "power-button",
            abstract: "Presses the power button: asks the guest to shut down.")
        @OptionGroup var target: ControlTarget
        func run() throws { try target.perform(.powerButton) }
    }

    /// `vm.nmi`.
    struct NMI: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "nmi",
            abstract: "Sends a non-maskable interrupt to every vCPU.")
        @OptionGroup var target: ControlTarget
        func run() throws { try target.perform(.nmi) }
    }
}

extension ControlTarget {
    /// Prints a device that was added; nothing where it is in the configuration only.
    fileprivate func show(_ added: AddedDevice?) {
        guard let added else { return }
        if json {
            printJSON(added)
        } else {
            say("\(added.id) \(added.bdf)")
        }
    }
}
