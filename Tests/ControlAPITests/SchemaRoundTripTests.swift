import Testing

@testable import ControlAPI

@Suite struct SchemaRoundTripTests {
    @Test func encodedConfigurationReadsBackEqual() throws {
        var config = VmConfig()
        config.cpus = CpusConfig(vcpus: 4)
        config.cpus.profile = .level3
        config.cpus.maxPhysBits = 40
        config.cpus.nested = false
        config.memory.hugepages = true
        config.memory.hugepageSize = 2 << 20
        var payload = PayloadConfig()
        payload.kernel = "/boot/päth \"quoted\""
        config.payload = payload
        var disk = DiskConfig()
        disk.path = "/d"
        disk.id = "d0"
        disk.imageType = .raw
        config.disks = [disk, DiskConfig()]
        var net = NetConfig()
        net.mtu = 9000
        (net.ip, net.mask) = ("192.0.2.1", "255.255.0.0")
        net.hostMAC = "02:00:00:00:00:02"
        net.offloadTSO = false
        config.net = [net]
        config.console.mode = .file
        config.console.file = "/log"
        #expect(try JSONBody.decode(VmConfig.self, from: JSONBody.encode(config)) == config)
        #expect(
            try JSONBody.decode(VmConfig.self, from: JSONBody.encode(config, isPretty: true))
                == config)
    }

    @Test func defaultsAreWrittenWithCloudHypervisorsKeys() {
        let json = String(decoding: JSONBody.encode(VmConfig()), as: UTF8.self)
        #expect(
            json == #"{"console":{"iommu":false,"mode":"Tty","pci_segment":0},"#
                + #""cpus":{"boot_vcpus":1,"core_scheduling":"Vm","features":{"amx":false},"#
                + #""kvm_hyperv":false,"max_phys_bits":46,"max_vcpus":1,"nested":true,"#
                + #""profile":"Host"},"debug_console":{"iobase":233,"mode":"Off"},"gdb":false,"#
                + #""iommu":false,"landlock_enable":false,"memory":{"hotplug_method":"Acpi","#
                + #""hugepages":false,"mergeable":false,"prefault":false,"reserve":false,"#
                + #""shared":\#(MemoryConfig().shared),"size":536870912,"thp":true},"pvpanic":false,"#
                + #""rng":{"iommu":false,"pci_segment":0,"src":"/dev/urandom"},"#
                + #""serial":{"mode":"Null"},"watchdog":false}"#)
    }

    @Test func jsonComesBackAsItWas() throws {
        let given =
            #"{"path":"/d","readonly":true,"id":"x","iommu":false,"pci_segment":0,"direct":false,"#
            + #""num_queues":1,"queue_size":128,"vhost_user":false,"disable_io_uring":false,"#
            + #""disable_aio":false,"backing_files":false,"sparse":true,"image_type":"Unknown","#
            + #""lock_granularity":"ByteRange"}"#
        let disk = try JSONBody.decode(DiskConfig.self, from: Array(given.utf8))
        let written = String(decoding: JSONBody.encode(disk), as: UTF8.self)
        // The order of keys means nothing in JSON.
        #expect(written.sorted() == given.sorted())
    }

    @Test func everyFieldKeyIsUniqueInItsObject() {
        #expect(Set(VmConfig.fields.map(\.key)).count == VmConfig.fields.count)
        #expect(Set(DiskConfig.fields.flatMap(\.optionKeys)).count > 20)
        #expect(Set(DiskConfig.fields.map(\.key)).count == DiskConfig.fields.count)
        #expect(Set(NetConfig.fields.map(\.key)).count == NetConfig.fields.count)
        #expect(Set(MemoryConfig.fields.map(\.key)).count == MemoryConfig.fields.count)
        #expect(Set(CpusConfig.fields.map(\.key)).count == CpusConfig.fields.count)
    }

    @Test func migrationBodiesHaveTheirDefaults() throws {
        let send = try JSONBody.decode(
            SendMigrationData.self, from: Array(#"{"destination_url":"tcp:h:1"}"#.utf8))
        #expect(send == SendMigrationData(destinationURL: "tcp:h:1"))
        #expect(send.downtimeMilliseconds == 300 && send.timeoutSeconds == 3600)
        #expect(!send.local && send.timeoutStrategy == .cancel)
        #expect(try JSONBody.decode(SendMigrationData.self, from: JSONBody.encode(send)) == send)
        #expect(throws: SchemaError.missing(path: "destination_url")) {
            try JSONBody.decode(SendMigrationData.self, from: Array("{}".utf8))
        }
        #expect(throws: SchemaError.missing(path: "receiver_url")) {
            try JSONBody.decode(ReceiveMigrationData.self, from: Array("{}".utf8))
        }
    }

    @Test func progressReportReadsBackEqual() throws {
        var report = MigrationProgressReport(phase: "memory")
        report.iteration = 3
        report.predictedBlackoutMilliseconds = 1.5
        var result = MigrationResult(outcome: .inDoubt)
        result.blackoutPhases = [.init(phase: "final-memory", milliseconds: 2)]
        report.result = result
        let bytes = JSONBody.encode(report)
        #expect(try JSONBody.decode(MigrationProgressReport.self, from: bytes) == report)
        let json = String(decoding: bytes, as: UTF8.self)
        for key in [
            "bytes_total", "bytes_sent", "bytes_remaining", "rate_bytes_per_second",
            "dirty_rate_bytes_per_second", "predicted_blackout_ms", "elapsed_ms", "iteration",
            "blackout_ms",
        ] {
            #expect(json.contains("\"\(key)\""))
        }
    }
}
