import Testing

@testable import ControlAPI

@Suite struct ValidationTests {
    /// A configuration in which nothing is wrong.
    static func valid() -> VmConfig {
        var config = VmConfig()
        var payload = PayloadConfig()
        payload.kernel = "/k"
        config.payload = payload
        return config
    }

    struct Fault: Sendable, CustomTestStringConvertible {
        let path: String
        let change: @Sendable (inout VmConfig) -> Void
        var testDescription: String { path }

        init(_ path: String, _ change: @escaping @Sendable (inout VmConfig) -> Void) {
            self.path = path
            self.change = change
        }
    }

    @Test func defaultsWithAKernelAreValid() throws {
        try Self.valid().validate()
    }

    @Test(arguments: [
        Fault("payload.kernel") { $0.payload = nil },
        Fault("payload.kernel") { $0.payload?.kernel = "" },
        Fault("payload.kernel") { $0.payload?.kernel = "/k\0.txt" },
        Fault("payload.initramfs") { $0.payload?.initramfs = "" },
        Fault("payload.cmdline") { $0.payload?.cmdline = "a\0b" },
        Fault("cpus.boot_vcpus") { $0.cpus = CpusConfig(vcpus: 0) },
        Fault("cpus.boot_vcpus") { $0.cpus = CpusConfig(vcpus: 255) },
        Fault("cpus.max_phys_bits") { $0.cpus.maxPhysBits = 35 },
        Fault("cpus.max_phys_bits") { $0.cpus.maxPhysBits = 53 },
        Fault("cpus.max_vcpus") { $0.cpus.maxVcpus = 2 },
        Fault("memory.size") { $0.memory.size = 0 },
        Fault("memory.size") { $0.memory.size = 4097 },
        Fault("memory.size") { $0.memory.size = 1 << 63 },
        Fault("memory.size") { config in
            config.memory.hugepages = true
            config.memory.size = 3 << 20
        },
        Fault("memory.size") {
            ($0.memory.hugepages, $0.memory.hugepageSize) = (true, 1 << 30)
            $0.memory.size = 1536 << 20
        },
        Fault("memory.hugepage_size") { $0.memory.hugepageSize = 2 << 20 },
        Fault("disks[0].path") { $0.disks = [DiskConfig()] },
        Fault("disks[0].num_queues") { $0.disks = [disk { $0.numQueues = 0 }] },
        Fault("disks[0].num_queues") { $0.disks = [disk { $0.numQueues = 2 }] },
        Fault("disks[0].queue_size") { $0.disks = [disk { $0.queueSize = 100 }] },
        Fault("disks[0].queue_size") { $0.disks = [disk { $0.queueSize = 0 }] },
        Fault("disks[0].serial") {
            $0.disks = [disk { $0.serial = String(repeating: "s", count: 21) }]
        },
        Fault("disks[1].id") {
            $0.disks = [disk { $0.id = "a" }, disk { $0.id = "a" }]
        },
        Fault("rng.id") { config in
            config.disks = [disk { $0.id = "a" }]
            config.rng.id = "a"
        },
        Fault("disks[0].id") { $0.disks = [disk { $0.id = "" }] },
        Fault("disks[0].id") { $0.disks = [disk { $0.id = "a\nb" }] },
        Fault("rng.id") { $0.rng.id = String(repeating: "r", count: 65) },
        Fault("disks") { $0.disks = Array(repeating: disk { _ in }, count: 30) },
        Fault("disks[0].pci_device_id") { $0.disks = [disk { $0.slot = 0 }] },
        Fault("disks[0].pci_device_id") { $0.disks = [disk { $0.slot = 32 }] },
        Fault("rng.pci_device_id") { config in
            config.disks = [disk { $0.slot = 5 }]
            config.rng.slot = 5
        },
        Fault("disks[0].id") { $0.disks = [disk { $0.id = "__serial" }] },
        Fault("rng.id") { $0.disks = [disk { $0.id = "__rng" }] },
        Fault("net[0].tap") { $0.net = [net { $0.tap = "" }] },
        Fault("net[0].tap") { $0.net = [net { $0.tap = "0123456789abcdef" }] },
        Fault("net[0].tap") { $0.net = [net { $0.tap = "a/b" }] },
        Fault("net[0].mac") { $0.net = [net { $0.mac = "02:00:00:00:00" }] },
        Fault("net[0].mac") { $0.net = [net { $0.mac = "01:00:00:00:00:01" }] },
        Fault("net[0].mac") { $0.net = [net { $0.mac = "00:00:00:00:00:00" }] },
        Fault("net[0].mac") { $0.net = [net { $0.mac = "0x:00:00:00:00:01" }] },
        Fault("net[0].host_mac") { $0.net = [net { $0.hostMAC = "01:00:00:00:00:01" }] },
        Fault("net[0].ip") { $0.net = [net { $0.ip = "192.0.2" }] },
        Fault("net[0].ip") { $0.net = [net { $0.ip = "192.0.2.256" }] },
        Fault("net[0].ip") { $0.net = [net { $0.ip = "192.0.2.01" }] },
        Fault("net[0].ip") { $0.net = [net { $0.ip = "2001:db8::1" }] },
        Fault("net[0].mask") { $0.net = [net { ($0.ip, $0.mask) = ("192.0.2.1", "255.0.255.0") }] },
        Fault("net[0].mask") { $0.net = [net { ($0.ip, $0.mask) = ("192.0.2.1", "24") }] },
        Fault("net[0].mask") { $0.net = [net { $0.mask = "255.255.255.0" }] },
        Fault("net[0].mtu") { $0.net = [net { $0.mtu = 100 }] },
        Fault("net[0].num_queues") { $0.net = [net { $0.numQueues = 1 }] },
        Fault("net[0].num_queues") { $0.net = [net { $0.numQueues = 4 }] },
        Fault("rng.src") { $0.rng.source = "" },
        Fault("serial.file") { $0.serial.mode = .file },
        Fault("serial.file") { $0.serial.file = "/f" },
        Fault("serial.socket") { $0.serial.mode = .socket },
        Fault("console.socket") { $0.console.socket = "/s" },
        Fault("console.file") {
            $0.console.mode = .socket
            ($0.console.socket, $0.console.file) = ("/s", "/f")
        },
        Fault("console.socket") {
            ($0.serial.mode, $0.serial.socket) = (.socket, "/s")
            ($0.console.mode, $0.console.socket) = (.socket, "/s")
        },
        Fault("console.mode") { $0.serial.mode = .tty },
    ])
    func faultIsNamedByItsPath(fault: Fault) {
        var config = Self.valid()
        fault.change(&config)
        #expect {
            try config.validate()
        } throws: { error in
            switch error as? SchemaError {
            case .missing(fault.path), .invalid(fault.path, _), .duplicate(fault.path, _): true
            default: false
            }
        }
    }

    @Test func severalQueuesAreValidWithAsManyVcpus() throws {
        var config = Self.valid()
        config.cpus = CpusConfig(vcpus: 254)
        config.disks = [disk { $0.numQueues = 254 }]
        config.net = [net { $0.numQueues = 508 }]
        try config.validate()
    }

    @Test(arguments: [
        (#"{"destination_url": "h:1"}"#, "destination_url"),
        (#"{"destination_url": "tcp:"}"#, "destination_url"),
        (#"{"destination_url": "tcp:h:1", "local": true}"#, "local"),
        (#"{"destination_url": "tcp:h:1", "downtime_ms": 0}"#, "downtime_ms"),
        (#"{"destination_url": "tcp:h:1", "timeout_s": 0}"#, "timeout_s"),
    ])
    func sendMigrationIsChecked(json: String, path: String) throws {
        let data = try JSONBody.decode(SendMigrationData.self, from: Array(json.utf8))
        #expect {
            try data.validate()
        } throws: { error in
            if case SchemaError.invalid(path, _) = error { true } else { false }
        }
    }
}

/// A disk with a path, changed.
private func disk(_ change: (inout DiskConfig) -> Void) -> DiskConfig {
    var disk = DiskConfig()
    disk.path = "/d"
    change(&disk)
    return disk
}

/// A network device, changed.
private func net(_ change: (inout NetConfig) -> Void) -> NetConfig {
    var net = NetConfig()
    change(&net)
    return net
}
