import Testing

@testable import ControlAPI

/// Names and slots of devices, and which there are.
@Suite struct DeviceConfigurationTests {
    private func config(disks: Int = 0, nets: Int = 0) -> VmConfig {
        var config = ValidationTests.valid()
        config.disks = Array(repeating: disk(), count: disks)
        config.net = Array(repeating: NetConfig(), count: nets)
        config.console.mode = .off
        return config
    }

    private func disk(_ id: String? = nil, slot: UInt8? = nil) -> DiskConfig {
        var disk = DiskConfig()
        disk.path = "/d"
        disk.id = id
        disk.slot = slot
        return disk
    }

    @Test func namesAreTheLowestFreeOnes() {
        var config = config(disks: 2, nets: 1)
        config.disks.append(disk("_disk1"))
        config.nameDevices()
        #expect(config.disks.map(\.id) == ["_disk0", "_disk2", "_disk1"])
        #expect(config.net.map(\.id) == ["_net0"])
    }

    @Test func slotsAreGivenInOrderAroundThoseThatAreTaken() throws {
        var config = config(disks: 2, nets: 1)
        config.disks[1].slot = 1
        config.rng.slot = 3
        config.console.mode = .null
        try config.placeDevices()
        #expect(config.disks.map(\.slot) == [2, 1])
        #expect(config.net.map(\.slot) == [4])
        #expect(config.rng.slot == 3)
        #expect(config.console.slot == 5)
    }

    @Test func namesAndSlotsStayWhatTheyAre() throws {
        var config = config(disks: 3, nets: 1)
        config.nameDevices()
        try config.placeDevices()
        config.removeDevice(named: "_disk1")
        var again = config
        again.nameDevices()
        try again.placeDevices()
        #expect(again == config)
        #expect(config.disks.map(\.slot) == [1, 3])
        // What comes next takes the place that is free.
        #expect(try config.add(disk()) == "disks[2]")
        try config.placeDevices()
        #expect(config.disks.last?.id == "_disk1")
        #expect(config.disks.last?.slot == 2)
        try config.validate()
    }

    @Test func consoleThatIsOffHasNoSlot() throws {
        var config = config()
        try config.placeDevices()
        #expect(config.console.slot == nil)
        #expect(config.device(named: "__console") == nil)
    }

    @Test func fullBusIsAnError() throws {
        var config = config(disks: 30)
        try config.validate()
        try config.placeDevices()
        #expect(config.rng.slot == 31)
        _ = try config.add(disk())
        #expect(!config.fitsTheBus)
        #expect {
            try config.placeDevices()
        } throws: { error in
            if case SchemaError.invalid("disks[30]", _) = error { true } else { false }
        }
    }

    @Test func devicesAreFoundByName() {
        var config = config(disks: 1, nets: 1)
        config.rng.id = "dice"
        config.nameDevices()
        #expect(config.device(named: "_disk0") == .disk(0))
        #expect(config.device(named: "_net0") == .net(0))
        #expect(config.device(named: "dice") == .permanent)
        #expect(config.device(named: "__serial") == .permanent)
        #expect(config.device(named: "__rng") == nil)
        #expect(config.device(named: "_disk1") == nil)
    }

    @Test func addedDeviceMustNotCollide() {
        var config = config(disks: 1)
        config.disks[0].slot = 4
        config.nameDevices()
        let before = config
        #expect {
            _ = try config.add(disk("_disk0"))
        } throws: { error in
            if case SchemaError.duplicate("id", _) = error { true } else { false }
        }
        var net = NetConfig()
        net.slot = 4
        #expect {
            _ = try config.add(net)
        } throws: { error in
            if case SchemaError.invalid("pci_device_id", _) = error { true } else { false }
        }
        #expect(config == before)
    }

    @Test func errorsAboutABodyLoseThePathOfItsPlace() {
        #expect(
            SchemaError.missing(path: "disks[1].path").relative(to: "disks[1]")
                == .missing(path: "path"))
        #expect(
            SchemaError.invalid(path: "disks[10].path", reason: "r").relative(to: "disks[1]")
                == .invalid(path: "disks[10].path", reason: "r"))
    }

    @Test func deviceTreeIsWrittenAsCloudHypervisorDoes() throws {
        var node = DeviceNode(id: "_virtio-pci-_disk0")
        node.pciBDF = "0000:00:01.0"
        node.children = ["_disk0"]
        node.resources = [
            .baseAddress(.init(index: 0, base: 0xC000_0000, size: 0x8000, kind: .mmio64)),
            .ports(.init(base: 0x3F8, size: 8)), .interruptLine(4),
        ]
        let json = String(decoding: JSONBody.encode(node), as: UTF8.self)
        #expect(
            json == #"{"children":["_disk0"],"id":"_virtio-pci-_disk0","parent":null,"#
                + #""pci_bdf":"0000:00:01.0","resources":[{"PciBar":{"base":3221225472,"#
                + #""index":0,"prefetchable":false,"size":32768,"type_":"Mmio64"}},"#
                + #"{"PioAddressRange":{"base":1016,"size":8}},{"LegacyIrq":4}]}"#)
        #expect(try JSONBody.decode(DeviceNode.self, from: Array(json.utf8)) == node)
    }
}
