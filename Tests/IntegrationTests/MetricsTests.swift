import ControlAPI
import Glibc
import Harness
import LinuxSystem
import MigrationProtocol
import Testing

extension GuestTests {
    /// The figures that a real process tells Prometheus.
    @Suite struct MetricsTests {
        /// Prometheus' own judge of metrics, where it is installed.
        private static let promtool =
            unsafe access("/usr/bin/promtool", X_OK) == 0 ? "/usr/bin/promtool" : nil

        private func page(_ vmm: MartletProcess, _ lab: Lab) throws -> ExpositionPage {
            let text = try vmm.client.metrics()
            let page = try ExpositionPage(text)
            if let promtool = Self.promtool {
                let file = lab.path("metrics-\(UInt32.random(in: 0 ... .max))")
                try OwnedDescriptor(opening: file, [.write, .create]).writeAll(Array(text.utf8))
                let judge = try lab.run("/bin/sh", ["-c", "\(promtool) check metrics <\(file)"])
                #expect(judge.status == .exited(0), "\(judge.output)\(judge.errors)")
                #expect((judge.output + judge.errors).isEmpty)
            }
            return page
        }

        @Test func everyStateHasItsFigures() async throws {
            let lab = try Lab()
            let empty = try lab.start("empty")
            let before = try page(empty, lab)
            #expect(before["martlet_build_info"]?.count == 1)
            #expect(before.value("martlet_guest_state", ["state": "empty"]) == 1)
            #expect(before["martlet_guest_vcpus"] == nil)
            #expect(before["martlet_migration_phase"] == nil)
            #expect(try #require(before.value("process_resident_memory_bytes")) > 1_048_576)
            #expect(try #require(before.value("process_start_time_seconds")) > 1_700_000_000)

            let flight = try await Flight(GuestPlan(processors: 2, hasDisk: true), in: lab)
            let running = try page(flight.vmm, lab)
            #expect(running.value("martlet_guest_state", ["state": "running"]) == 1)
            #expect(running.value("martlet_guest_vcpus") == 2)
            #expect(running.value("martlet_guest_memory_bytes") == 268_435_456)
            let disk = ["device": "_disk0"]
            #expect(running.value("martlet_device_writes_total", disk) ?? 0 > 0)
            #expect(running.value("martlet_device_written_bytes_total", disk) ?? 0 > 0)
            let ports = ["vcpu": "0", "reason": "port"]
            let exits = try #require(running.value("martlet_vcpu_exits_total", ports))
            #expect(exits > 0)
            try await flight.expectWork()
            #expect(
                try #require(try page(flight.vmm, lab).value("martlet_vcpu_exits_total", ports))
                    > exits)
        }

        @Test func migrationIsSeenAtBothEndsWhileItRunsAndAfterwards() async throws {
            let scene = try await Scene(at: .request(.state))
            defer { scene.end() }
            let lab = scene.flight.lab
            let source = try page(scene.source, lab)
            #expect(
                source.value("martlet_migration_phase", ["end": "source", "phase": "blackout"])
                    == 1)
            #expect(source.value("martlet_migration_memory_bytes") == 67_108_864)
            #expect(source.value("martlet_migration_rounds") ?? 0 >= 1)
            #expect(source.value("martlet_migration_predicted_blackout_seconds") ?? 0 > 0)
            let sent = try #require(source.value("martlet_migration_transferred_bytes"))
            #expect(sent > 0)
            #expect(
                source.value("martlet_migration_memory_bytes_total", ["end": "source"]) == sent)
            let completed = ["end": "destination", "outcome": "completed"]
            #expect(
                try page(scene.destination, lab).value("martlet_migrations_total", completed) == 0)

            scene.interceptor.decide(.pass)
            try scene.reception.wait()
            let arrived = try page(scene.destination, lab)
            #expect(arrived.value("martlet_migrations_total", completed) == 1)
            #expect(
                arrived.value("martlet_migration_memory_bytes_total", ["end": "destination"])
                    == arrived.value("martlet_migration_transferred_bytes"))
            #expect(
                arrived.value(
                    "martlet_migration_blackout_seconds",
                    ["end": "destination", "part": "load-state"]) ?? 0 > 0)
            try await scene.flight.left(for: scene.destination)
        }
    }
}
