import ControlAPI
import Harness
import LinuxSystem
import MigrationProtocol
import Testing

extension GuestTests {
    /// Devices that the guest is asked to give up. The test guest does so by Martlet's registers, as
    /// an operating system does by ACPI.
    @Suite struct DeviceRemovalTests {
        /// Slots 1 to 3 on the bus, as the guest's bits: the entropy device is in slot 1.
        private static let entropyOnly: UInt64 = 0b10
        private static let withDisk: UInt64 = 0b110

        private func disk(_ name: String, in lab: Lab) throws -> DiskConfig {
            var disk = DiskConfig()
            disk.path = lab.path(name)
            try OwnedDescriptor(opening: lab.path(name), [.write, .create]).truncate(to: 1 << 20)
            return disk
        }

        /// Whether no process has locked the disk.
        private func isFree(_ name: String, in lab: Lab) throws -> Bool {
            let file = try OwnedDescriptor(opening: lab.path(name), .write)
            do throws(SystemError) {
                try file.lock(.exclusive)
                return true
            } catch {
                return false
            }
        }

        private func disks(_ vmm: MartletProcess) throws -> [String?] {
            try vmm.client.info().config.disks.map(\.id)
        }

        /// A guest with one disk more than it was booted with.
        private func flight(_ words: String...) async throws -> Flight {
            let lab = try Lab()
            let events = ["--event-monitor", "path=\(lab.path("events"))"]
            let flight = try await Flight(
                GuestPlan(memory: "size=64M", words: words, options: events), in: lab)
            #expect(
                try flight.vmm.client.addDisk(disk("extra", in: lab))?.bdf == "0000:00:02.0")
            return flight
        }

        private func expectRemoval(_ flight: Flight) async throws {
            try await eventually("the end of the device\n\(flight.vmm.log)") {
                try disks(flight.vmm).isEmpty
            }
            #expect(try flight.vmm.client.info().deviceTree?["_disk0"] == nil)
            try await flight.expectCount("pci_slots", Self.entropyOnly)
            try await flight.expectWork()
        }

        @Test func deviceIsGoneWhenTheGuestHasGivenItUp() async throws {
            let flight = try await flight("hotplug")
            try await flight.expectCount("pci_added", 1)
            try await flight.expectCount("pci_slots", Self.withDisk)
            #expect(try !isFree("extra", in: flight.lab))

            try flight.vmm.client.removeDevice("_disk0")
            try await expectRemoval(flight)
            #expect(try isFree("extra", in: flight.lab))
            let events = String(
                decoding: try OwnedDescriptor(opening: flight.lab.path("events"))
                    .readAll(maximum: 1 << 20), as: UTF8.self)
            #expect(events.contains("device-added") && events.contains("device-removed"))
            // Name and place are free again.
            #expect(
                try flight.vmm.client.addDisk(disk("extra", in: flight.lab))
                    == AddedDevice(id: "_disk0", bdf: "0000:00:02.0"))
            try await flight.expectCount("pci_added", 2)
        }

        @Test func nothingStaysOpenAfterManyAdditionsAndRemovals() async throws {
            let flight = try await flight("hotplug")
            func descriptors() throws -> Int {
                try flight.lab.run("/bin/ls", ["/proc/\(flight.vmm.process.identifier)/fd"])
                    .output.split(separator: "\n").count
            }
            let before = try descriptors()
            for _ in 0..<10 {
                try flight.vmm.client.removeDevice("_disk0")
                try await expectRemoval(flight)
                _ = try flight.vmm.client.addDisk(disk("extra", in: flight.lab))
            }
            // A call's connection is closed a moment after its answer, then and now.
            try await eventually("the end of what the removed disks had open") {
                try descriptors() <= before
            }
        }

        @Test func pausedGuestGivesItUpWhenItRuns() async throws {
            let flight = try await flight("hotplug")
            try flight.vmm.client.perform(.pause)
            try flight.vmm.client.removeDevice("_disk0")
            #expect(try disks(flight.vmm) == ["_disk0"])

            try flight.vmm.client.perform(.resume)
            try await expectRemoval(flight)
        }

        @Test func guestThatDoesNotCareKeepsItUntilItsReboot() async throws {
            let flight = try await flight()
            try flight.vmm.client.removeDevice("_disk0")
            try await flight.expectWork()
            #expect(try disks(flight.vmm) == ["_disk0"])

            try flight.vmm.client.perform(.reboot)
            #expect(try disks(flight.vmm).isEmpty)
            #expect(try isFree("extra", in: flight.lab))
        }

        @Test(arguments: [Route.unix, .local])
        func wishTravelsWithTheGuest(route: Route) async throws {
            // Not before the guest has arrived, on most machines; and if so, nothing is wrong.
            let flight = try await flight("hotplug=delay:1500")
            try flight.vmm.client.removeDevice("_disk0")

            try await flight.move(by: route)
            try await expectRemoval(flight)
            #expect(try isFree("extra", in: flight.lab))
        }

        @Test func holesInTheSlotsArrive() async throws {
            let flight = try await flight("hotplug")
            let second = try flight.vmm.client.addDisk(disk("second", in: flight.lab))
            #expect(second == AddedDevice(id: "_disk1", bdf: "0000:00:03.0"))
            try flight.vmm.client.removeDevice("_disk0")
            try await eventually("the end of the device") {
                try disks(flight.vmm) == ["_disk1"]
            }
            let before = try flight.vmm.client.info()

            try await flight.move(by: .unix)
            #expect(try flight.vmm.client.info().config == before.config)
            #expect(try flight.vmm.client.info().deviceTree == before.deviceTree)
            try await flight.expectCount("pci_slots", 0b1010)
            #expect(
                try flight.vmm.client.addDisk(disk("third", in: flight.lab))
                    == AddedDevice(id: "_disk0", bdf: "0000:00:02.0"))
            try await flight.move(by: .local)
            try await flight.expectCount("pci_slots", 0b1110)
            #expect(try disks(flight.vmm) == ["_disk1", "_disk0"])
        }

        /// A migration that is held while memory is sent, until the guest has given its disk up.
        private func moveHeldForTheEject(
            _ flight: Flight
        ) async throws -> (MartletProcess, Reception, Interceptor) {
            let destination = try flight.startNext()
            let reception = try destination.receive(at: "unix:\(flight.lab.path("door"))")
            let interceptor = try Interceptor(
                at: flight.lab.path("wire"), before: flight.lab.path("door"),
                holding: .request(.memory))
            try flight.vmm.client.removeDevice("_disk0")
            try flight.vmm.client.sendMigration(
                SendMigrationData(destinationURL: "unix:\(flight.lab.path("wire"))"))
            try await eventually("the first memory") { interceptor.hasReached }
            let isInTime = try disks(flight.vmm) == ["_disk0"]
            try await flight.expectCount("pci_ejected", 1)
            // Gone for the guest; for its owner, only when it is known who that is.
            try await flight.expectCount("pci_slots", Self.entropyOnly)
            if isInTime {
                #expect(try disks(flight.vmm) == ["_disk0"])
                #expect(try flight.vmm.client.info().deviceTree?["_disk0"] == nil)
                #expect(try !isFree("extra", in: flight.lab))
            }
            return (destination, reception, interceptor)
        }

        @Test func deviceGivenUpOnTheWayIsTakenOutAtTheDestination() async throws {
            let flight = try await flight("hotplug=delay:1500")
            let (destination, reception, interceptor) = try await moveHeldForTheEject(flight)
            interceptor.decide(.pass)

            #expect(try await flight.vmm.migrationResult().outcome == .completed)
            try reception.wait()
            try await flight.left(for: destination)
            try await expectRemoval(flight)
            #expect(try isFree("extra", in: flight.lab))
            interceptor.close()
        }

        @Test func deviceGivenUpOnTheWayIsTakenOutAtTheSourceThatKeepsTheGuest() async throws {
            let flight = try await flight("hotplug=delay:1500")
            let (destination, reception, interceptor) = try await moveHeldForTheEject(flight)
            interceptor.decide(.cut)

            #expect(try await flight.vmm.migrationResult().outcome == .failed)
            #expect(throws: HarnessError.self) { try reception.wait() }
            refusal(404) { () throws(APIClientError) in _ = try destination.client.info() }
            try await expectRemoval(flight)
            #expect(try isFree("extra", in: flight.lab))
            interceptor.close()
        }
    }
}
