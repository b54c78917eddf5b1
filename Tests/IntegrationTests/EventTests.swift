import ControlAPI
import Harness
import LinuxSystem
import Testing

extension GuestTests {
    @Suite struct EventTests {
        @Test func bootAndMigrationAreReportedInOrder() async throws {
            let lab = try Lab()
            let kernel = try #require(Prerequisites.guest)
            let source = try lab.start(
                "source",
                [
                    "--kernel", kernel, "--cmdline", "idle", "--event-monitor",
                    "path=\(lab.path("source.events"))",
                ])
            let destination = try lab.start(
                "destination", ["--event-monitor", "path=\(lab.path("destination.events"))"])
            try source.client.perform(.pause)
            try source.client.perform(.resume)
            let url = "unix:\(lab.path("door"))"
            let reception = try destination.receive(at: url)
            try source.client.sendMigration(SendMigrationData(destinationURL: url))
            #expect(try await source.migrationResult().outcome == .completed)
            try reception.wait()
            try destination.client.perform(.delete)

            let left = try events("source.events", in: lab)
            expect(
                [
                    "vmm starting", "vm booting", "vm booted", "virtio-device activated",
                    "vm pausing", "vm paused", "vm resuming", "vm resumed",
                    "vm migration-started", "vm migration-memory-iteration",
                    "vm migration-finished",
                ], inOrderIn: left)
            let arrived = try events("destination.events", in: lab)
            expect(
                [
                    "vmm starting", "vm migration-receive-ready", "vm migration-receive-started",
                    "vm migration-receive-finished", "vm deleted",
                ], inOrderIn: arrived)
            #expect(!arrived.contains("vm booting"))
        }

        private func expect(_ names: [String], inOrderIn events: [String]) {
            var rest = events[...]
            for name in names {
                guard let index = rest.firstIndex(of: name) else {
                    Issue.record("\(name) is missing, or out of order, in \(events)")
                    return
                }
                rest = rest[(index + 1)...]
            }
        }

        /// "source event" of each object in the stream.
        private func events(_ name: String, in lab: Lab) throws -> [String] {
            struct Record: Decodable {
                let source: String
                let event: String
            }
            let bytes = try OwnedDescriptor(opening: lab.path(name)).readAll(maximum: 1 << 20)
            return try String(decoding: bytes, as: UTF8.self).split(separator: "\n\n").map {
                let record = try JSONBody.decode(Record.self, from: Array($0.utf8))
                return "\(record.source) \(record.event)"
            }
        }
    }
}
