import Testing

@testable import ControlAPI

@Suite struct OptionStringTests {
    @Test(arguments: [
        ("a=1,b=2", ["a": "1", "b": "2"]),
        (#"path="/a,b",readonly=on"#, ["path": "/a,b", "readonly": "on"]),
        (#"list=[1,2],x=[a@[3,4],b]"#, ["list": "[1,2]", "x": "[a@[3,4],b]"]),
        (#"path="/a[b""#, ["path": "/a[b"]),
        ("cmdline=a=b", ["cmdline": "a=b"]),
        ("flag", ["flag": ""]),
    ])
    func textIsTakenApart(text: String, expected: [String: String]) throws {
        let options = try OptionString(text, option: "--x")
        #expect(
            Dictionary(uniqueKeysWithValues: options.entries.map { ($0.key, $0.text) }) == expected)
    }

    @Test(arguments: ["", ",", "a=1,", "=1", #"a="1"#, "a=[1", "a=1]", "a=]["])
    func whatCannotBeTakenApartIsRefused(text: String) {
        #expect {
            try OptionString(text, option: "--x")
        } throws: { error in
            if case OptionError.malformed("--x", _) = error { true } else { false }
        }
    }

    @Test func disk() throws {
        let disk = try DiskConfig(
            option: "path=/d.raw,readonly=on,direct=true,num_queues=2,queue_size=64,"
                + "serial=s,id=d0,image_type=raw")
        var expected = DiskConfig()
        expected.path = "/d.raw"
        expected.readonly = true
        expected.direct = true
        expected.numQueues = 2
        expected.queueSize = 64
        expected.serial = "s"
        expected.id = "d0"
        expected.imageType = .raw
        #expect(disk == expected)
    }

    @Test func cpus() throws {
        #expect(try CpusConfig(option: "boot=2") == CpusConfig(vcpus: 2))
        #expect(try CpusConfig(option: "boot=2,max=4").maxVcpus == 4)
        #expect(try !CpusConfig(option: "nested=off").nested)
        #expect(try CpusConfig(option: "boot=2,profile=x86-64-v3").profile == .level3)
        #expect(try CpusConfig(option: "profile=host").profile == .host)
        #expect(try CpusConfig(option: "max_phys_bits=40").maxPhysBits == 40)
        #expect(throws: OptionError.self) { try CpusConfig(option: "profile=x86-64-v5") }
    }

    @Test(
        arguments: [
            ("size=512M", 512 << 20), ("size=1G", 1 << 30), ("size=4K", 4096), ("size=4096", 4096),
            ("size=2g", 2 << 30),
        ] as [(String, UInt64)])
    func memorySizes(text: String, size: UInt64) throws {
        #expect(try MemoryConfig(option: text).size == size)
    }

    @Test func memory() throws {
        let memory = try MemoryConfig(
            option: "shared=on,hugepages=on,hugepage_size=2M,prefault=on,thp=on")
        #expect(memory.shared && memory.hugepages && memory.prefault)
        #expect(memory.hugepageSize == 2 << 20)
        #expect(memory.size == 512 << 20)
    }

    @Test func net() throws {
        let net = try NetConfig(
            option: "tap=tap0,mac=02:00:00:00:00:01,mtu=1500,num_queues=2,offload_tso=off")
        #expect(net.tap == "tap0" && net.mac == "02:00:00:00:00:01" && net.mtu == 1500)
        #expect(net.numQueues == 2 && !net.offloadTSO && net.offloadChecksum)
    }

    @Test func rng() throws {
        #expect(try RngConfig(option: "src=/dev/random").source == "/dev/random")
    }

    @Test func consoles() throws {
        #expect(try SerialConfig(option: "tty").mode == .tty)
        #expect(try SerialConfig(option: "off").mode == .off)
        #expect(try SerialConfig(option: "null").mode == .null)
        let file = try SerialConfig(option: "file=/var/log")
        #expect(file.mode == .file && file.file == "/var/log")
        let socket = try SerialConfig(option: "socket=/run/s")
        #expect(socket.mode == .socket && socket.socket == "/run/s" && socket.file == nil)
        #expect(try ConsoleConfig(option: "pty,id=con0").mode == .pty)
        let console = try ConsoleConfig(option: "file=/c,id=con0")
        #expect(console.mode == .file && console.file == "/c" && console.id == "con0")
    }

    @Test(arguments: [
        "pty=/p", "socket", "socket=", "socket=/s,pty", "file", "file=", "tty=1", "on", "tty,off",
        "tty,id=a", "",
    ])
    func badSerialIsRefused(text: String) {
        #expect(throws: OptionError.self) { try SerialConfig(option: text) }
    }

    @Test(arguments: ["socket", "id=a", "tty,iommu=on", "tty,what=1"])
    func badConsoleIsRefused(text: String) {
        #expect(throws: OptionError.self) { try ConsoleConfig(option: text) }
    }

    @Test func endpoints() throws {
        #expect(try APISocketOption(option: "/run/api") == .path("/run/api"))
        #expect(try APISocketOption(option: "path=/run/api") == .path("/run/api"))
        #expect(try APISocketOption(option: "fd=7") == .descriptor(7))
        #expect(try EventMonitorOption(option: "path=/e") == .path("/e"))
        #expect(try EventMonitorOption(option: "fd=2") == .descriptor(2))
        for bad in ["", "fd=-1", "fd=99999999999", "path=", "path=/a,fd=1", "file=/a"] {
            #expect(throws: OptionError.self) { try EventMonitorOption(option: bad) }
        }
    }

    @Test func sendMigration() throws {
        let data = try SendMigrationData(
            option: "destination_url=unix:/s,local=on,downtime_ms=50,timeout_s=60,"
                + "timeout_strategy=ignore,connections=1,memory_mode=precopy")
        #expect(data.destinationURL == "unix:/s" && data.local)
        #expect(data.downtimeMilliseconds == 50 && data.timeoutSeconds == 60)
        #expect(data.timeoutStrategy == .ignore)
        #expect(
            try ReceiveMigrationData(option: "receiver_url=tcp:0.0.0.0:1").receiverURL
                == "tcp:0.0.0.0:1")
    }

    @Test func sendMigrationSaysWhatHappensToContents() throws {
        let none = try SendMigrationData(option: "destination_url=tcp:a:1")
        #expect(none.compression == .off && !none.checksums && !none.verify)
        let data = try SendMigrationData(
            option: "destination_url=tcp:a:1,compression=auto,checksums=on,verify=on")
        #expect(data.compression == .auto && data.checksums && data.verify)
        #expect(
            try SendMigrationData(option: "destination_url=tcp:a:1,compression=zstd").compression
                == .zstd)
        for bad in [
            "destination_url=tcp:a:1,compression=gzip", "destination_url=tcp:a:1,verify=maybe",
            "destination_url=unix:/s,local=on,compression=lz4",
            "destination_url=unix:/s,local=on,checksums=on",
            "destination_url=unix:/s,local=on,verify=on",
        ] {
            #expect(throws: (any Error).self, "\(bad)") {
                try SendMigrationData(option: bad).validate()
            }
        }
    }

    @Test func unknownKeyNamesTheValidOnes() throws {
        #expect {
            try DiskConfig(option: "paht=/d")
        } throws: { error in
            guard case OptionError.unknownKey("--disk", "paht", let valid) = error else {
                return false
            }
            return valid.contains("path") && "\(error)".contains("path, readonly")
        }
    }

    @Test func duplicateKeyIsRefused() {
        #expect(throws: OptionError.duplicateKey(option: "--disk", key: "path")) {
            try DiskConfig(option: "path=/a,path=/b")
        }
    }

    @Test func missingKeyIsNamed() {
        #expect(throws: OptionError.missingKey(option: "send-migration", key: "destination_url")) {
            try SendMigrationData(option: "local=on")
        }
    }

    @Test(arguments: [
        ("readonly=yes", "readonly"), ("num_queues=-1", "num_queues"),
        ("queue_size=70000", "queue_size"), ("path=", "path"), ("image_type=iso", "image_type"),
    ])
    func wrongValueNamesTheKey(text: String, key: String) {
        #expect {
            try DiskConfig(option: text)
        } throws: { error in
            if case OptionError.wrongValue("--disk", key, _, _) = error { true } else { false }
        }
    }

    @Test(arguments: [
        "socket=/s", "bw_size=1", "ops_size=1", "iommu=on", "vhost_user=on", "image_type=qcow2",
        "lock_granularity=full", "pci_segment=1",
    ])
    func knownKeyWithoutSupportIsRefusedByName(text: String) {
        #expect {
            try DiskConfig(option: text)
        } throws: { error in
            if case OptionError.unsupported("--disk", _, _) = error { true } else { false }
        }
    }

    @Test func slotAndSizeOfADiskAreRead() throws {
        #expect(try DiskConfig(option: "path=/d,pci_device_id=4").slot == 4)
        #expect(try ConsoleConfig(option: "null,pci_device_id=31").slot == 31)
        #expect(
            try ResizeDiskData(option: "id=_disk0,size=2G")
                == ResizeDiskData(id: "_disk0", desiredSize: 2 << 30))
        #expect(throws: OptionError.missingKey(option: "resize-disk", key: "size")) {
            try ResizeDiskData(option: "id=_disk0")
        }
    }

    @Test(arguments: ["size=1T", "size=M", "size=99999999999G", "size=-1", "size=0x10", "size=1 M"])
    func badSizeIsRefused(text: String) {
        #expect(throws: OptionError.self) { try MemoryConfig(option: text) }
    }
}
