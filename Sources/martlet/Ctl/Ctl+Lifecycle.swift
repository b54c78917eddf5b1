import ArgumentParser
import ControlAPI
import LinuxSystem
import Report

extension Ctl {
    /// `vmm.ping`.
    struct Ping: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Tells who answers.")
        @OptionGroup var target: ControlTarget

        func run() throws {
            let answer = try target.call { try $0.ping() }
            if target.json {
                target.printJSON(answer)
            } else {
                say("\(answer.buildVersion), process \(answer.pid)")
            }
        }
    }

    /// `vm.info`.
    struct Info: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows the guest's state and configuration.")
        @OptionGroup var target: ControlTarget

        func run() throws {
            let info = try target.call { try $0.info() }
            if target.json {
                target.printJSON(info)
                return
            }
            say("state   \(info.state.rawValue)")
            say("vcpus   \(info.config.cpus.bootVcpus)")
            say("memory  \(Amount.bytes(info.memoryActualSize))")
            for disk in info.config.disks {
                say("disk    " + words([disk.id, place(of: disk.id, info), disk.path]))
            }
            for net in info.config.net {
                say("net     " + words([net.id, place(of: net.id, info), net.tap, net.mac]))
            }
        }

        private func words(_ words: [String?]) -> String {
            words.compactMap(\.self).joined(separator: " ")
        }

        /// Where a device is on the PCI bus; nil before the guest is booted.
        private func place(of id: String?, _ info: VmInfo) -> String? {
            guard let id, let parent = info.deviceTree?[id]?.parent else { return nil }
            return info.deviceTree?[parent]?.pciBDF
        }
    }

    /// `vm.counters`.
    struct Counters: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows what the devices have counted.")
        @OptionGroup var target: ControlTarget

        func run() throws {
            let counters = try target.call { try $0.counters() }
            if target.json {
                target.printJSON(counters)
                return
            }
            for (device, values) in counters.sorted(by: { $0.key < $1.key }) {
                for (name, value) in values.sorted(by: { $0.key < $1.key }) {
                    say("\(device) \(name) \(value)")
                }
            }
        }
    }

    /// `vm.create`.
    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Configures a guest from a JSON file.",
            discussion: "The file holds the body of vm.create; see docs/api.md.")
        @OptionGroup var target: ControlTarget

        /// As many bytes as the API takes.
        private static let maximumLength = 4 << 20

        @Argument(help: "The file, or - for standard input.", completion: .file())
        var file: String

        func run() throws {
            try target.call { client in
                let source =
                    file == "-"
                    ? try StandardStream.input.duplicate() : try OwnedDescriptor(opening: file)
                let body = try source.readAll(maximum: Self.maximumLength)
                let config = try JSONBody.decode(VmConfig.self, from: body)
                try config.validate()
                try client.create(config)
            }
        }
    }

    /// `vm.boot`.
    struct Boot: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Starts the created guest.")
        @OptionGroup var target: ControlTarget
        func run() throws { try target.perform(.boot) }
    }

    /// `vm.pause`.
    struct Pause: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Stops the guest's vCPUs.")
        @OptionGroup var target: ControlTarget
        func run() throws { try target.perform(.pause) }
    }

    /// `vm.resume`.
    struct Resume: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lets a paused guest go on.")
        @OptionGroup var target: ControlTarget
        func run() throws { try target.perform(.resume) }
    }

    /// `vm.reboot`.
    struct Reboot: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Starts the guest anew.")
        @OptionGroup var target: ControlTarget
        func run() throws { try target.perform(.reboot) }
    }

    /// `vm.shutdown`.
    struct Shutdown: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Switches the guest off; its configuration stays.")
        @OptionGroup var target: ControlTarget
        func run() throws { try target.perform(.shutdown) }
    }

    /// `vm.delete`.
    struct Delete: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Removes the guest and its configuration.")
        @OptionGroup var target: ControlTarget
        func run() throws { try target.perform(.delete) }
    }

    /// `vmm.shutdown`.
    struct ShutdownVMM: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "shutdown-vmm", abstract: "Ends the VMM.")
        @OptionGroup var target: ControlTarget
        func run() throws { try target.perform(.shutdownVMM) }
    }
}
