import ControlAPI
import Glibc
import Harness
import LinuxSystem
import MigrationProtocol
import Testing

extension GuestTests {
    /// Guests that reset themselves, switch themselves off or crash while they are moved: the table
    /// in `docs/migration.md`.
    @Suite struct EndingTests {
        static let moments: [Interceptor.Message] = [.answer(to: .config), .answer(to: .memory)]

        /// The guest ends while it runs at the source and is being sent.
        @Test(arguments: Ending.allCases, moments)
        func endDuringPreCopy(ending: Ending, moment: Interceptor.Message) async throws {
            let scene = try await EndingScene(ending, in: Lab())
            let wire = try Interceptor(
                at: scene.lab.path("wire"), before: scene.lab.path("door"), holding: moment)
            defer { wire.close() }
            let reception = try scene.destination.receive(at: "unix:\(scene.lab.path("door"))")
            try scene.source.client.sendMigration(
                SendMigrationData(destinationURL: "unix:\(scene.lab.path("wire"))"))
            try await eventually("\(moment)") { wire.hasReached }

            try scene.tell()
            try await eventually("the guest's end\n\(scene.source.log)") {
                scene.source.log.contains("While it is being moved")
            }
            // A VMM waits only for those who have asked before.
            _ = try scene.source.client.migrationProgress()
            wire.decide(.pass)

            let result = try await scene.source.migrationResult()
            switch ending {
            case .reset:
                #expect(result.outcome == .completed, "\(result.errors)")
                try reception.wait()
                try await eventually("the guest's start\n\(scene.destination.log)") {
                    try scene.count(.report, atDestination: true) > 0
                }
                #expect(try scene.count(.boot, atDestination: true) == 1)
                #expect(try scene.count(.done) == 1)
                #expect(scene.actors(ending).map(\.logPath) == [scene.destination.logPath])
                #expect(scene.source.log.contains("moves without its memory"))
                try await eventually("the end") { scene.source.process.exitStatus != nil }
                #expect(scene.source.process.exitStatus == .exited(0))
            case .shutdown, .crash:
                #expect(result.outcome == .cancelled)
                #expect(result.errors.first?.contains(ending.reason) == true, "\(result.errors)")
                #expect(throws: HarnessError.self) { try reception.wait() }
                #expect(scene.destination.log.contains(ending.reason))
                try await eventually("the end") { scene.source.process.exitStatus != nil }
                #expect(scene.source.process.exitStatus == ending.status)
                #expect(scene.actors(ending).map(\.logPath) == [scene.source.logPath])
                refusal(404) { () throws(APIClientError) in
                    _ = try scene.destination.client.info()
                }
            }
        }

        /// The guest ends at some moment of its way, or just after it: one end acts on that.
        @Test(.needsNetwork, arguments: Ending.allCases, Route.allCases)
        func endAtSomeMoment(ending: Ending, route: Route) async throws {
            for delay in [0, 3, 8, 15, 30] {
                let scene = try await EndingScene(ending, in: Lab())
                let url = route.url(in: scene.lab)
                let reception = try scene.destination.receive(at: url)
                // A source that gave up before it connected leaves the destination waiting.
                defer { _ = try? scene.destination.client.perform(.cancelMigration) }
                try scene.source.client.sendMigration(route.request(to: url))
                MonotonicInstant.after(milliseconds: delay).sleep()
                // It fails when the guest has left already.
                try? scene.tell()

                // A word that its VMM had not read yet when the guest left is said again. Whether
                // it was heard is seen by what is done about it: a line that the guest writes on
                // its way may be divided between both ends' logs.
                try await eventually("the guest's end or way\n\(scene.source.log)") {
                    !scene.actors(ending).isEmpty || scene.source.process.exitStatus != nil
                }
                if scene.actors(ending).isEmpty {
                    try reception.wait()
                    // One that travelled in the serial port's state is taken between two reports.
                    try await eventually("the guest's word\n\(scene.destination.log)") {
                        try !scene.actors(ending).isEmpty
                            || scene.count(.report, atDestination: true) >= 10
                    }
                    if scene.actors(ending).isEmpty { try scene.tell(atDestination: true) }
                }
                try await eventually("an act on it, \(delay) ms\n\(scene.source.log)") {
                    !scene.actors(ending).isEmpty
                }
                let actor = try #require(scene.actors(ending).first)
                if let status = ending.status {
                    try await eventually("the end") { actor.process.exitStatus != nil }
                    #expect(actor.process.exitStatus == status, "\(delay) ms")
                } else {
                    try await eventually(
                        "the second start, \(delay) ms\n\(scene.lines)\n\(actor.log)"
                    ) { try scene.count(.boot) == 2 }
                }
                #expect(scene.actors(ending).count == 1, "\(delay) ms")
            }
        }

        /// A destination that could not start the guest anew does not take it.
        @Test func resetWhereTheKernelIsMissingComesBack() async throws {
            let lab = try Lab()
            let kernel = lab.path("kernel")
            let guest = try #require(Prerequisites.guest)
            let bytes = try OwnedDescriptor(opening: guest).readAll(maximum: 1 << 22)
            try OwnedDescriptor(opening: kernel, [.write, .create]).writeAll(bytes)
            let scene = try await EndingScene(.reset, kernel: kernel, in: lab)
            #expect(unsafe unlink(kernel) == 0)
            let wire = try Interceptor(
                at: lab.path("wire"), before: lab.path("door"), holding: .answer(to: .memory))
            defer { wire.close() }
            let reception = try scene.destination.receive(at: "unix:\(lab.path("door"))")
            try scene.source.client.sendMigration(
                SendMigrationData(destinationURL: "unix:\(lab.path("wire"))"))
            try await eventually("memory") { wire.hasReached }

            try scene.tell()
            try await eventually("the guest's end") {
                scene.source.log.contains("While it is being moved")
            }
            wire.decide(.pass)

            let result = try await scene.source.migrationResult()
            #expect(result.outcome == .failed)
            #expect(result.errors.first?.contains(kernel) == true, "\(result.errors)")
            #expect(throws: HarnessError.self) { try reception.wait() }
            #expect(scene.destination.log.contains("not be started anew"))
            // Nor can the source start it, in this test: it says so and ends.
            try await eventually("the end") { scene.source.process.exitStatus != nil }
            #expect(scene.source.process.exitStatus == .exited(1))
            #expect(scene.source.log.contains("The guest cannot be started again: "))
            #expect(scene.source.log.contains(kernel))
        }
    }

    /// A person ends a doubt.
    @Suite struct ResolutionTests {
        private func doubt() async throws -> Scene {
            let scene = try await Scene(at: .request(.takeover))
            scene.destination.process.signal(SIGKILL)
            scene.interceptor.decide(.cut)
            try await scene.source.waitForPhase("in-doubt")
            return scene
        }

        private func resolve(_ scene: Scene, _ owner: String) throws -> CommandRun {
            let folder = scene.flight.lab
            return try folder.martlet(
                "ctl", "--api-socket", folder.path("vmm0.sock"), "resolve-migration",
                "owner=\(owner)")
        }

        @Test func guestOfADeadDestinationGoesOnAtTheSource() async throws {
            let scene = try await doubt()
            defer { scene.end() }

            #expect(try resolve(scene, "nobody").status != .exited(0))
            #expect(try resolve(scene, "source").status == .exited(0))

            try await scene.expectGuestStays()
            #expect(scene.source.log.contains("A person says"))
            let again = try resolve(scene, "source")
            #expect(again.status == .exited(1))
            #expect(again.errors.contains("No migration is in doubt here"), "\(again.errors)")
        }

        @Test func sourceLetsGoWhenTheDestinationHasTheGuest() async throws {
            let scene = try await doubt()
            defer { scene.end() }

            #expect(try resolve(scene, "destination").status == .exited(0))

            try await eventually("the end") { scene.source.process.exitStatus != nil }
            #expect(scene.source.process.exitStatus == .exited(1))
            try await scene.flight.expectStandstill()
        }

        @Test func migrationWithoutADoubtIsNotResolved() async throws {
            let scene = try await Scene(at: .answer(to: .config))
            defer { scene.end() }

            let run = try resolve(scene, "source")

            #expect(run.status == .exited(1))
            #expect(run.errors.contains("There is no doubt to resolve"), "\(run.errors)")
            scene.interceptor.decide(.cut)
            try await scene.expectGuestStays()
        }
    }
}
