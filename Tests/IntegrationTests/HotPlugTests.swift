import ControlAPI
import Harness
import LinuxSystem
import Testing

extension GuestTests {
    /// Devices that come and go by the API.
    @Suite struct HotPlugTests {
        /// A disk on a new file.
        private func disk(_ name: String, in lab: Lab) throws -> DiskConfig {
            var disk = DiskConfig()
            disk.path = lab.path(name)
            try OwnedDescriptor(opening: lab.path(name), [.write, .create]).truncate(to: 1 << 20)
            return disk
        }

        private func slots(_ vmm: MartletProcess) throws -> [String: UInt8?] {
            let config = try vmm.client.info().config
            let devices =
                config.disks.map { ($0.id, $0.slot) } + config.net.map { ($0.id, $0.slot) }
            return Dictionary(
                uniqueKeysWithValues: (devices + [("__rng", config.rng.slot)]).map {
                    ($0.0 ?? "?", $0.1)
                })
        }

        private func descriptors(of vmm: MartletProcess) throws -> Int {
            try CommandRun(
                path: "/bin/ls", arguments: ["/proc/\(vmm.process.identifier)/fd"], folder: "/",
                deadline: .after(milliseconds: 120_000)
            ).output.split(separator: "\n").count
        }

        @Test func addedDiskIsInTheGuestAndStaysOverAReboot() async throws {
            let flight = try await Flight(in: Lab())
            let (lab, vmm) = (flight.lab, flight.vmm)

            let added = try vmm.client.addDisk(disk("extra", in: lab))
            // The entropy device is in slot 1.
            #expect(added == AddedDevice(id: "_disk0", bdf: "0000:00:02.0"))
            let info = try vmm.client.info()
            #expect(info.config.disks.first?.id == "_disk0")
            #expect(info.config.disks.first?.slot == 2)
            let tree = try #require(info.deviceTree)
            #expect(tree["_disk0"]?.parent == "_virtio-pci-_disk0")
            #expect(tree["_virtio-pci-_disk0"]?.pciBDF == "0000:00:02.0")
            #expect(tree["_virtio-pci-_disk0"]?.children == ["_disk0"])
            #expect(tree["__serial"] != nil && tree["__rng"] != nil)
            try await flight.expectWork()

            try vmm.client.perform(.reboot)
            var serial = try SerialLog(path: lab.path("serial"))
            var disks: UInt64?
            try await eventually("a boot with the disk") {
                for line in try serial.newLines() where line.kind == .boot {
                    disks = line.count("disks")
                }
                return disks == 1
            }
            #expect(try slots(vmm) == ["_disk0": 2, "__rng": 1])
        }

        @Test(.needsNetwork) func addedTapIsOpenAndHasAnAddress() async throws {
            let flight = try await Flight(in: Lab())

            let added = try flight.vmm.client.addNet(NetConfig())
            #expect(added?.id == "_net0")
            let net = try #require(try flight.vmm.client.info().config.net.first)
            #expect(net.mac != nil)
            #expect(try flight.vmm.client.counters()["_net0"] != nil)
            try await flight.expectWork()
        }

        @Test func pausedGuestTakesADiskToo() async throws {
            let flight = try await Flight(in: Lab())
            try flight.vmm.client.perform(.pause)

            #expect(try flight.vmm.client.addDisk(disk("extra", in: flight.lab)) != nil)
            try flight.vmm.client.perform(.resume)
            try await flight.expectWork()
        }

        @Test func failureLeavesTheGuestAsItWas() async throws {
            let flight = try await Flight(GuestPlan(hasDisk: true), in: Lab())
            let (lab, vmm) = (flight.lab, flight.vmm)
            let before = try vmm.client.info()
            let open = try descriptors(of: vmm)
            var absent = DiskConfig()
            absent.path = lab.path("nothing")
            var taken = DiskConfig()
            taken.path = lab.path("disk")
            var queues = try disk("queues", in: lab)
            queues.numQueues = 2
            var slot = try disk("slot", in: lab)
            slot.slot = 1
            var name = try disk("name", in: lab)
            name.id = "_disk0"

            for (disk, status, words) in [
                (absent, 500, "nothing"), (taken, 500, "is in use"), (queues, 400, "num_queues"),
                (slot, 400, "pci_device_id"), (name, 409, "_disk0"), (DiskConfig(), 400, "path"),
            ] {
                let reasons = refusal(status) { () throws(APIClientError) in
                    _ = try vmm.client.addDisk(disk)
                }
                #expect(reasons.contains(words), "\(reasons)")
                #expect(!reasons.contains("disks["), "\(reasons)")
            }
            #expect(try vmm.client.info() == before)
            // A call's connection is closed a moment after its answer, then and now.
            try await eventually("the end of what was opened in vain") {
                try descriptors(of: vmm) <= open
            }
            try await flight.expectWork()
        }

        @Test func fullBusIsRefusedByName() async throws {
            let flight = try await Flight(in: Lab())
            var disk = try disk("shared", in: flight.lab)
            disk.readonly = true

            // The bridge and the entropy device have one slot each.
            for number in 0..<30 {
                #expect(try flight.vmm.client.addDisk(disk)?.id == "_disk\(number)")
            }
            #expect(try flight.vmm.client.info().config.disks.last?.slot == 31)
            let reasons = refusal(500) { () throws(APIClientError) in
                _ = try flight.vmm.client.addDisk(disk)
            }
            #expect(reasons.contains("_disk30") && reasons.contains("slots"), "\(reasons)")
            try await flight.expectWork()
        }

        @Test func diskGetsAnotherSizeAndMovesWithIt() async throws {
            let flight = try await Flight(in: Lab())
            _ = try flight.vmm.client.addDisk(disk("extra", in: flight.lab))

            try flight.vmm.client.resizeDisk(ResizeDiskData(id: "_disk0", desiredSize: 3 << 20))
            let path = flight.lab.path("extra")
            #expect(try OwnedDescriptor(opening: path).storageSize == 3 << 20)
            for (id, size, status, words) in [
                ("nothing", 1 << 20, 404, "nothing"), ("__rng", 1 << 20, 400, "__rng"),
                ("_disk0", 1000, 400, "multiple"), ("_disk0", 0, 400, "multiple"),
            ] as [(String, UInt64, Int, String)] {
                let reasons = refusal(status) { () throws(APIClientError) in
                    try flight.vmm.client.resizeDisk(ResizeDiskData(id: id, desiredSize: size))
                }
                #expect(reasons.contains(words), "\(reasons)")
            }
            try await flight.move(by: .unix)
            #expect(try flight.vmm.client.info().config.disks.map(\.id) == ["_disk0"])
        }

        @Test func devicesThatCannotBeRemovedAreNamed() async throws {
            let flight = try await Flight(in: Lab())

            for (id, status) in [
                ("nothing", 404), ("", 404), ("_virtio-pci-__rng", 404), ("__rng", 400),
                ("__serial", 400),
            ] {
                let reasons = refusal(status) { () throws(APIClientError) in
                    try flight.vmm.client.removeDevice(id)
                }
                #expect(reasons.contains(id), "\(reasons)")
            }
            try await flight.expectWork()
        }

        @Test func createdGuestIsChangedInItsConfiguration() throws {
            let lab = try Lab()
            let vmm = try lab.start("vmm")
            let client = vmm.client
            var config = VmConfig()
            var payload = PayloadConfig()
            payload.kernel = Prerequisites.guest
            config.payload = payload
            config.console.mode = .off
            config.disks = [try disk("a", in: lab)]
            try client.create(config)

            #expect(try client.addDisk(disk("b", in: lab)) == nil)
            #expect(try client.addNet(NetConfig()) == nil)
            let created = try client.info()
            #expect(created.config.disks.map(\.id) == ["_disk0", "_disk1"])
            #expect(created.deviceTree == nil)
            try client.removeDevice("_disk0")
            try client.removeDevice("_net0")
            refusal(404) { () throws(APIClientError) in try client.removeDevice("_disk0") }
            refusal(400) { () throws(APIClientError) in try client.removeDevice("__rng") }
            #expect(try client.info().config.disks.map(\.path) == [lab.path("b")])
            try client.perform(.boot)
            #expect(try client.info().config.disks.map(\.slot) == [1])
        }

        @Test(arguments: [(Route.unix, Route.local), (.local, .unix)])
        func addedDevicesArriveInTheirSlots(first: Route, second: Route) async throws {
            let flight = try await Flight(GuestPlan(hasDisk: true), in: Lab())
            var extra = try disk("extra", in: flight.lab)
            extra.slot = 9
            #expect(try flight.vmm.client.addDisk(extra)?.bdf == "0000:00:09.0")
            #expect(try flight.vmm.client.addDisk(disk("more", in: flight.lab))?.id == "_disk2")
            let before = try flight.vmm.client.info()

            try await flight.move(by: first)
            let after = try flight.vmm.client.info()
            #expect(after.config == before.config)
            #expect(after.deviceTree == before.deviceTree)
            #expect(try slots(flight.vmm) == ["_disk0": 1, "__rng": 2, "_disk1": 9, "_disk2": 3])
            // And on from there, also what is added at the second place.
            #expect(
                try flight.vmm.client.addDisk(disk("late", in: flight.lab))?.bdf
                    == "0000:00:04.0")
            let late = try flight.vmm.client.info()
            try await flight.move(by: second)
            #expect(try flight.vmm.client.info().config == late.config)
            #expect(try flight.vmm.client.info().deviceTree == late.deviceTree)
        }
    }
}
