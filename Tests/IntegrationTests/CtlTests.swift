import ControlAPI
import Harness
import LinuxSystem
import Testing

extension GuestTests {
    /// `martlet ctl` as scripts use it: without a terminal.
    @Suite struct CtlTests {
        private func ctl(_ lab: Lab, _ vmm: MartletProcess, _ words: String...) throws -> CommandRun
        {
            try lab.run(
                try #require(Prerequisites.executable),
                ["ctl", words[0], "--api-socket", vmm.client.path] + words.dropFirst())
        }

        @Test func everyCallOfAGuestsLife() throws {
            let lab = try Lab()
            let vmm = try lab.start("vmm")
            var config = VmConfig()
            var payload = PayloadConfig()
            payload.kernel = Prerequisites.guest
            config.payload = payload
            config.console.mode = .off
            let file = lab.path("guest.json")
            try OwnedDescriptor(opening: file, [.write, .create]).writeAll(
                JSONBody.encode(config))

            #expect(try ctl(lab, vmm, "ping").output.contains("\(vmm.process.identifier)"))
            for words in [
                ["create", file], ["boot"], ["pause"], ["resume"], ["reboot"], ["shutdown"],
                ["delete"], ["create", file],
            ] {
                let run = try lab.run(
                    try #require(Prerequisites.executable),
                    ["ctl", words[0], "--api-socket", vmm.client.path] + words.dropFirst())
                #expect(run.status == .exited(0), "\(words): \(run.errors)")
                #expect(run.output.isEmpty)
            }
            #expect(try ctl(lab, vmm, "info").output.contains("Created"))
            #expect(try ctl(lab, vmm, "shutdown-vmm").status == .exited(0))
            #expect(
                try vmm.process.wait(deadline: .after(milliseconds: 120_000)) == .exited(0))
        }

        @Test func devicesAreAddedAndShownByName() async throws {
            let flight = try await Flight(in: Lab())
            let (lab, vmm) = (flight.lab, flight.vmm)
            let path = lab.path("extra")
            try OwnedDescriptor(opening: path, [.write, .create]).truncate(to: 1 << 20)

            let added = try ctl(lab, vmm, "add-disk", "path=\(path),id=data,pci_device_id=7")
            #expect(added.status == .exited(0))
            #expect(added.output == "data 0000:00:07.0\n")
            #expect(
                try ctl(lab, vmm, "info").output.contains("disk    data 0000:00:07.0 \(path)"))
            let again = try ctl(
                lab, vmm, "add-disk", "path=\(path),readonly=on,pci_device_id=7", "--json")
            #expect(again.status == .exited(1))
            #expect(again.errors.contains("pci_device_id") && again.errors.contains("data"))
            let unknown = try ctl(lab, vmm, "remove-device", "nothing")
            #expect(unknown.status == .exited(1))
            #expect(unknown.errors.contains("nothing"))
            let wrong = try ctl(lab, vmm, "add-net", "tpa=x")
            #expect(wrong.status == .exited(64))
            #expect(wrong.errors.contains("tpa"))
            let size = try ctl(lab, vmm, "resize-disk", "id=data,size=large")
            #expect(size.status == .exited(64))
            #expect(size.errors.contains("size"))
            try await flight.expectWork()
        }

        @Test func jsonIsWhatTheAPISays() async throws {
            let flight = try await Flight(GuestPlan(hasDisk: true), in: Lab())
            let (lab, vmm) = (flight.lab, flight.vmm)

            func object<Object: Decodable>(_ call: String, _: Object.Type) throws -> Object {
                let run = try ctl(lab, vmm, call, "--json")
                #expect(run.status == .exited(0))
                return try JSONBody.decode(Object.self, from: Array(run.output.utf8))
            }
            #expect(try object("ping", VmmPing.self) == vmm.client.ping())
            #expect(try object("info", VmInfo.self) == vmm.client.info())
            #expect(try object("counters", VmCounters.self)["_disk0"]?["write_ops"] ?? 0 > 0)
            #expect(
                try object("migration-progress", MigrationProgressReport.self).phase == "none")
        }

        @Test func migrationIsFollowedInPlainLinesWithASummary() async throws {
            let flight = try await Flight(in: Lab())
            let lab = flight.lab
            let destination = try flight.startNext()
            let url = "unix:\(lab.path("door"))"
            let reception = try destination.receive(at: url)

            let run = try ctl(lab, flight.vmm, "send-migration", "destination_url=\(url)")
            #expect(run.status == .exited(0), "\(run.errors)")
            for text in ["Migrated.", "total time", "sent", "iterations", "blackout", "takeover"] {
                #expect(run.output.contains(text), "\(run.output)")
            }
            #expect(!run.output.contains("\u{1b}") && !run.output.contains("\r"))
            try reception.wait()
            try await flight.left(for: destination)
            try await flight.expectWork()
        }

        @Test func migrationInJSON() async throws {
            let flight = try await Flight(in: Lab())
            let destination = try flight.startNext()
            let url = "unix:\(flight.lab.path("door"))"
            let reception = try destination.receive(at: url)

            let run = try ctl(
                flight.lab, flight.vmm, "send-migration", "destination_url=\(url),local=on",
                "--json")
            let result = try JSONBody.decode(MigrationResult.self, from: Array(run.output.utf8))
            #expect(result.outcome == .completed)
            #expect(result.blackoutMilliseconds > 0)
            try reception.wait()
        }

        @Test func failuresAreToldOnStandardErrorAndByTheStatus() async throws {
            let flight = try await Flight(in: Lab())
            let (lab, vmm) = (flight.lab, flight.vmm)
            let nobody = lab.path("nobody")

            let refused = try ctl(lab, vmm, "boot")
            #expect(refused.status == .exited(1))
            #expect(refused.errors.contains("VM is already booted"))
            let failed = try ctl(lab, vmm, "send-migration", "destination_url=unix:\(nobody)")
            #expect(failed.status == .exited(1))
            #expect((failed.output + failed.errors).contains(nobody))
            let wrong = try ctl(lab, vmm, "send-migration", "destination=unix:\(nobody)")
            #expect(wrong.status == .exited(64))
            #expect(wrong.errors.contains("destination_url"))
            let absent = try lab.martlet("ctl", "ping", "--api-socket", nobody)
            #expect(absent.status == .exited(1))
            #expect(absent.errors.contains(nobody) && absent.errors.contains("is the VMM running"))
            try await flight.expectWork()
        }

        @Test(arguments: [
            ["--help"], ["run", "--help"], ["ctl", "--help"],
            ["ctl", "send-migration", "--help"], ["ctl", "receive-migration", "--help"],
        ])
        func helpHasExamples(words: [String]) throws {
            let lab = try Lab()
            let run = try lab.run(try #require(Prerequisites.executable), words)

            #expect(run.status == .exited(0))
            for text in ["OVERVIEW", "USAGE", "migration"] {
                #expect(run.output.contains(text), "\(run.output)")
            }
        }
    }
}
