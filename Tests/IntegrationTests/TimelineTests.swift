import ControlAPI
import Foundation
import Harness
import LinuxSystem
import MigrationProtocol
import Testing

extension GuestTests {
    /// The timeline of migrations between real processes, from the API and from files.
    @Suite struct TimelineTests {
        private func timeline(_ path: String) throws -> MigrationTimelineReport {
            let bytes = try OwnedDescriptor(opening: path).readAll(maximum: 1 << 20)
            return try JSONBody.decode(MigrationTimelineReport.self, from: bytes)
        }

        @Test(arguments: [Route.unix, .local])
        func bothEndsWriteTheirTimelines(route: Route) async throws {
            let flight = try await Flight(in: Lab())
            let lab = flight.lab
            let (atSource, atDestination) = (lab.path("source"), lab.path("destination"))
            let destination = try flight.startNext()
            let url = route.url(in: lab)
            #expect(try flight.vmm.client.migrationTimeline() == .none)
            var reception = ReceiveMigrationData(receiverURL: url)
            reception.timeline = atDestination
            let arrival = try destination.receive(reception)
            #expect(try destination.client.migrationTimeline().progress.phase == "listening")

            var request = route.request(to: url)
            request.timeline = atSource
            let result = try flight.vmm.send(request)
            #expect(result.outcome == .completed)
            try arrival.wait()
            try await flight.left(for: destination)

            let left = try timeline(atSource)
            #expect(left.version == MigrationTimelineReport.currentVersion)
            #expect(left.end == .source)
            #expect(left.progress.result == result)
            #expect(left.settings["destination_url"] == .text(url))
            #expect(left.settings["downtime_ms"] == .number(300))
            #expect(left.settings["local"] == .flag(route == .local))
            #expect(left.program.contains("martlet"))
            #expect(left.beganAt?.hasSuffix("Z") == true)
            #expect(left.phases.last?.phase == "finished")
            #expect(left.rounds.count == Int(result.iterations))
            #expect(left.blackout?.parts == result.blackoutPhases)
            #expect(left.samples.contains { $0.rateBytesPerSecond > 0 } == (route != .local))

            let came = try timeline(atDestination)
            #expect(came.end == .destination)
            #expect(came.settings["receiver_url"] == .text(url))
            #expect(came.blackout?.parts.count == 4)
            #expect(try destination.client.migrationTimeline() == came)
            try await flight.expectWork()
        }

        @Test func runningMigrationHasATimeline() async throws {
            let scene = try await Scene(at: .request(.state))
            defer { scene.end() }

            let before = try scene.source.client.migrationTimeline()
            #expect(before.end == .source)
            #expect(before.progress.result == nil)
            #expect(!before.rounds.isEmpty)
            #expect(before.blackout?.parts.map(\.phase) == ["stop", "final-memory", "state"])
            let after = try scene.source.client.migrationTimeline()
            #expect(
                try #require(after.samples.last).atMilliseconds
                    > #require(before.samples.last).atMilliseconds)

            scene.interceptor.decide(.cut)
            try await scene.expectGuestStays()
            let failed = try scene.source.client.migrationTimeline()
            #expect(failed.progress.result?.outcome == .failed)
            #expect(failed.blackout?.parts.last?.phase == "return")
        }

        /// Whoever watches the timeline can read its end, although the VMM ends with the migration.
        @Test func sourceStaysUntilTheTimelineWasRead() async throws {
            let scene = try await Scene(at: .request(.state))
            defer { scene.end() }
            _ = try scene.source.client.migrationTimeline()
            _ = try scene.source.client.migrationProgress()
            scene.interceptor.decide(.pass)

            try await eventually("the end of the migration") {
                try scene.source.client.migrationProgress().result != nil
            }
            // Its end is not to hold up the guest that arrived.
            #expect(try priorities(of: scene.source.process.identifier) == [10])
            let timeline = try scene.source.client.migrationTimeline()
            #expect(timeline.progress.result?.outcome == .completed)
            try await scene.flight.left(for: scene.destination)
        }

        /// The nice values of a process' threads (proc_pid_stat(5), field 19).
        private func priorities(of process: Int32) throws -> Set<Int> {
            let folder = URL(filePath: "/proc/\(process)/task")
            let threads = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            return Set(
                try threads.map { thread in
                    let stat = try String(
                        contentsOf: folder.appending(path: "\(thread)/stat"), encoding: .utf8)
                    // After the name, which may hold anything.
                    let fields = stat[try #require(stat.lastIndex(of: ")"))...].split(
                        separator: " ")
                    return try #require(Int(fields[17]))
                })
        }

        @Test func fileThatCannotBeWrittenIsRefusedBeforeAnythingBegins() async throws {
            let flight = try await Flight(in: Lab())
            let lab = flight.lab
            let other = try lab.start("other")
            let path = lab.path("no-folder/timeline")

            var send = SendMigrationData(destinationURL: "unix:\(lab.path("door"))")
            send.timeline = path
            let atSource = refusal(400) { () throws(APIClientError) in
                try flight.vmm.client.sendMigration(send)
            }
            #expect(atSource.contains(path), "\(atSource)")
            var receive = ReceiveMigrationData(receiverURL: "unix:\(lab.path("door"))")
            receive.timeline = path
            let atDestination = refusal(400) { () throws(APIClientError) in
                try other.client.receiveMigration(receive, deadline: APIClient.usual)
            }
            #expect(atDestination.contains(path), "\(atDestination)")
            #expect(try flight.vmm.client.migrationProgress().phase == "none")
            try await flight.expectWork()
        }
    }
}
