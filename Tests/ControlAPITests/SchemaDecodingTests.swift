import Testing

@testable import ControlAPI

/// Reads a configuration from text.
func decode(_ json: String) throws(SchemaError) -> VmConfig {
    try JSONBody.decode(VmConfig.self, from: Array(json.utf8))
}

@Suite struct SchemaDecodingTests {
    @Test func emptyObjectHasTheDefaults() throws {
        let config = try decode("{}")
        #expect(config == VmConfig())
        #expect(config.cpus.bootVcpus == 1)
        #expect(config.memory.size == 512 << 20)
        #expect(config.rng.source == "/dev/urandom")
        #expect(config.serial.mode == .null)
        #expect(config.console.mode == .tty)
    }

    @Test func everySupportedFieldIsRead() throws {
        let config = try decode(
            """
            {"cpus": {"boot_vcpus": 2, "max_vcpus": 2, "nested": false},
             "memory": {"size": 1073741824, "shared": true, "hugepages": true,
                        "hugepage_size": 2097152, "prefault": true, "thp": true},
             "payload": {"kernel": "/k", "cmdline": "a b", "initramfs": "/i"},
             "disks": [{"path": "/d", "readonly": true, "direct": true, "num_queues": 2,
                        "queue_size": 64, "serial": "s", "id": "d0", "image_type": "Raw"}],
             "net": [{"tap": "tap0", "mac": "02:00:00:00:00:01", "mtu": 1500, "num_queues": 4,
                      "queue_size": 512, "id": "n0", "offload_tso": false,
                      "offload_ufo": false, "offload_csum": false}],
             "rng": {"src": "/dev/random", "id": "r0"},
             "serial": {"mode": "File", "file": "/log"},
             "console": {"mode": "Off", "id": "c0"}}
            """)
        #expect(config.cpus == CpusConfig(vcpus: 2).with { $0.nested = false })
        #expect(config.memory.size == 1 << 30)
        #expect(config.memory.shared && config.memory.hugepages && config.memory.prefault)
        #expect(config.memory.hugepageSize == 2 << 20)
        #expect(config.payload?.kernel == "/k")
        #expect(config.payload?.cmdline == "a b")
        #expect(config.payload?.initramfs == "/i")
        let disk = try #require(config.disks.first)
        #expect(disk.path == "/d" && disk.readonly && disk.direct && disk.numQueues == 2)
        #expect(disk.queueSize == 64 && disk.serial == "s" && disk.id == "d0")
        #expect(disk.imageType == .raw)
        let net = try #require(config.net.first)
        #expect(net.tap == "tap0" && net.mac == "02:00:00:00:00:01" && net.mtu == 1500)
        #expect(net.numQueues == 4 && net.queueSize == 512 && net.id == "n0")
        #expect(!net.offloadTSO && !net.offloadUFO && !net.offloadChecksum)
        #expect(config.rng.source == "/dev/random" && config.rng.id == "r0")
        #expect(config.serial.mode == .file && config.serial.file == "/log")
        #expect(config.console.mode == .off && config.console.id == "c0")
    }

    @Test(arguments: [
        (#"{"kernal": 1}"#, "kernal"),
        (#"{"cpus": {"vcpus": 2}}"#, "cpus.vcpus"),
        (#"{"cpus": {"features": {"avx": true}}}"#, "cpus.features.avx"),
        (#"{"disks": [{"path": "/a"}, {"paht": "/b"}]}"#, "disks[1].paht"),
        (#"{"platform": {"colour": 1}}"#, "platform.colour"),
        (#"{"net": [{"tap": "a", "bridge": "b"}]}"#, "net[0].bridge"),
    ])
    func unknownFieldIsNamedWithItsPath(json: String, path: String) {
        #expect {
            try decode(json)
        } throws: { error in
            guard case SchemaError.unknownField(path, let known) = error else { return false }
            return !known.isEmpty
        }
    }

    @Test(arguments: [
        (#"{"cpus": {"kvm_hyperv": true}}"#, "cpus.kvm_hyperv"),
        (#"{"cpus": {"topology": {"packages": 1}}}"#, "cpus.topology"),
        (#"{"cpus": {"features": {"amx": true}}}"#, "cpus.features.amx"),
        (#"{"cpus": {"core_scheduling": "Off"}}"#, "cpus.core_scheduling"),
        (#"{"memory": {"mergeable": true}}"#, "memory.mergeable"),
        (#"{"memory": {"thp": false}}"#, "memory.thp"),
        (#"{"memory": {"hugepage_size": 65536}}"#, "memory.hugepage_size"),
        (#"{"memory": {"hotplug_method": "VirtioMem"}}"#, "memory.hotplug_method"),
        (#"{"memory": {"zones": [{"id": "m"}]}}"#, "memory.zones"),
        (#"{"payload": {"firmware": "/f"}}"#, "payload.firmware"),
        (#"{"disks": [{"vhost_user": true}]}"#, "disks[0].vhost_user"),
        (#"{"disks": [{"image_type": "Qcow2"}]}"#, "disks[0].image_type"),
        (#"{"disks": [{"iommu": true}]}"#, "disks[0].iommu"),
        (#"{"disks": [{"rate_limiter_config": {}}]}"#, "disks[0].rate_limiter_config"),
        (#"{"net": [{"fds": [3]}]}"#, "net[0].fds"),
        (#"{"net": [{"pci_segment": 1}]}"#, "net[0].pci_segment"),
        (#"{"debug_console": {"mode": "Tty"}}"#, "debug_console.mode"),
        (#"{"platform": {"uuid": "u"}}"#, "platform.uuid"),
        (#"{"fs": [{"tag": "t"}]}"#, "fs"),
        (#"{"balloon": {"size": 0}}"#, "balloon"),
        (#"{"pvpanic": true}"#, "pvpanic"),
        (#"{"watchdog": true}"#, "watchdog"),
    ])
    func knownFieldWithoutSupportIsRefusedByName(json: String, path: String) {
        #expect {
            try decode(json)
        } throws: { error in
            guard case SchemaError.unsupported(path, _) = error else { return false }
            return "\(error)".contains("not supported by Martlet yet")
        }
    }

    @Test func knownFieldsWithoutSupportAreAcceptedAtTheirDefaults() throws {
        let config = try decode(
            """
            {"cpus": {"kvm_hyperv": false, "topology": null, "max_phys_bits": 46,
                      "features": {"amx": false}, "core_scheduling": "Vm", "profile": "Host"},
             "memory": {"mergeable": false, "hotplug_method": "Acpi", "reserve": false,
                        "zones": null, "thp": true},
             "disks": [{"iommu": false, "pci_segment": 0, "vhost_user": false, "sparse": true,
                        "backing_files": false, "lock_granularity": "ByteRange"}],
             "net": [{"vhost_mode": "Client", "fds": null}],
             "debug_console": {"mode": "Off", "iobase": 233},
             "fs": [], "devices": null, "pvpanic": false, "iommu": false, "watchdog": false,
             "landlock_enable": false, "platform": {"num_pci_segments": 1}}
            """)
        #expect(config.disks == [DiskConfig()])
        #expect(config.net == [NetConfig()])
    }

    @Test(arguments: [
        ("[]", "The body"),
        (#"{"cpus": 3}"#, "cpus"),
        (#"{"cpus": null}"#, "cpus"),
        (#"{"cpus": {"boot_vcpus": "two"}}"#, "cpus.boot_vcpus"),
        (#"{"cpus": {"boot_vcpus": -1}}"#, "cpus.boot_vcpus"),
        (#"{"cpus": {"profile": "x86-64-v5"}}"#, "cpus.profile"),
        (#"{"cpus": {"profile": 3}}"#, "cpus.profile"),
        (#"{"cpus": {"boot_vcpus": 1.5}}"#, "cpus.boot_vcpus"),
        (#"{"cpus": {"boot_vcpus": 4294967296}}"#, "cpus.boot_vcpus"),
        (#"{"memory": {"size": 1e300}}"#, "memory.size"),
        (#"{"memory": {"shared": 1}}"#, "memory.shared"),
        (#"{"disks": {}}"#, "disks"),
        (#"{"disks": [{}, 7]}"#, "disks[1]"),
        (#"{"disks": [{"path": ["/a"]}]}"#, "disks[0].path"),
        (#"{"disks": [{"queue_size": 65536}]}"#, "disks[0].queue_size"),
        (#"{"serial": {"mode": "tty"}}"#, "serial.mode"),
        (#"{"payload": "kernel"}"#, "payload"),
        (#"{"pvpanic": "no"}"#, "pvpanic"),
    ])
    func wrongTypeNamesThePath(json: String, path: String) {
        #expect {
            try decode(json)
        } throws: { error in
            guard case SchemaError.wrongType(path, let expected) = error else { return false }
            return !expected.isEmpty
        }
    }

    @Test(arguments: [
        (#"{"iommu": false, "iommu": true}"#, "iommu"),
        (#"{"iommu": false, "iomm\u0075": true}"#, "iommu"),
        (#"{"cpus": {"boot_vcpus": 1, "nested": true, "boot_vcpus": 2}}"#, "cpus.boot_vcpus"),
        (#"{"disks": [{"path": "a"}, {"path": "/a", "path": "/b"}]}"#, "disks[1].path"),
        (#"{"payload": {"cmdline": "{\"a\":1,\"a\":2}"}, "payload": null}"#, "payload"),
    ])
    func keyGivenTwiceIsNamedWithItsPath(json: String, path: String) {
        #expect(throws: SchemaError.invalid(path: path, reason: "is given twice")) {
            try decode(json)
        }
    }

    @Test func equalKeysOfDifferentObjectsAreNoDuplicates() throws {
        let config = try decode(
            #"{"disks": [{"path": "path"}, {"path": "path"}], "payload": {"cmdline": "\"a\",a"}}"#)
        #expect(config.disks.count == 2)
    }

    @Test(arguments: [
        "", "{", "nul", "]", "}", ",", "\"", "\"\\", #"{"a\"#, #"{"a":1,"a"#, #"{"cpus"}"#, "\u{0}",
        #"{"payload": {"kernel": "\uD800"}}"#,
        String(repeating: "[", count: 100_000),
        String(repeating: #"{"cpus":"#, count: 100_000),
    ])
    func whatIsNotJSONIsRefused(text: String) {
        #expect(throws: SchemaError.self) { try decode(text) }
    }
}

extension CpusConfig {
    fileprivate func with(_ change: (inout CpusConfig) -> Void) -> CpusConfig {
        var copy = self
        change(&copy)
        return copy
    }
}
