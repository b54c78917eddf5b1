import ControlAPI
import Glibc
import Harness
import LinuxSystem
import MigrationProtocol
import Testing

extension GuestTests {
    /// The image of a disk belongs to one VMM that writes, or to some that read; and it goes where
    /// the guest goes.
    @Suite struct ImageLockTests {
        private static let plan = GuestPlan(memory: "size=64M", hasDisk: true)

        private func kernel() throws -> String { try #require(Prerequisites.guest) }

        /// An image, and the same as a disk that is only read.
        private func image(_ name: String, in lab: Lab) throws -> DiskConfig {
            var disk = DiskConfig()
            disk.path = lab.path(name)
            disk.readonly = true
            try OwnedDescriptor(opening: lab.path(name), [.write, .create]).truncate(to: 32 << 20)
            return disk
        }

        // MARK: Readers and writers

        @Test func readersShareAnImageAndAWriterIsRefused() throws {
            let lab = try Lab()
            let disk = try image("shared", in: lab)
            let path = lab.path("shared")
            let arguments = ["--kernel", try kernel(), "--disk", "path=\(path),readonly=on"]
            let readers = try ["one", "two"].map { try lab.start($0, arguments) }

            for reader in readers {
                #expect(try reader.locks(on: path) == ["READ"])
                #expect(try reader.client.info().state == .running)
            }
            expectFailure(
                try lab.martlet("run", "--kernel", kernel(), "--disk", "path=\(path)"),
                naming: "_disk0: \(path) is in use by another VMM")
            let guest = try lab.start("three", ["--kernel", try kernel()])
            var writable = disk
            writable.readonly = false
            let reasons = refusal(500) { () throws(APIClientError) in
                _ = try guest.client.addDisk(writable)
            }
            #expect(reasons.contains("_disk0: \(path) is in use by another VMM"), "\(reasons)")
            #expect(try guest.locks(on: path).isEmpty)
            #expect(try guest.client.addDisk(disk)?.id == "_disk0")
            #expect(try guest.locks(on: path) == ["READ"])
            // They had it all the time: optimized code would end them after their last use.
            for reader in readers { #expect(try reader.client.info().state == .running) }
        }

        // MARK: Moves

        @Test(arguments: [Route.unix, .local, .tcp])
        func lockMovesWithTheGuest(route: Route) async throws {
            guard route != .tcp || Prerequisites.hasNetworks else { return }
            let flight = try await Flight(Self.plan, in: Lab())
            try flight.expectImageIsHeld()

            try await flight.move(by: route)
            try flight.expectImageIsHeld()
            // Nobody else has it: it goes with this process.
            flight.vmm.process.signal(SIGKILL)
            _ = try flight.vmm.process.wait(deadline: .after(milliseconds: 120_000))
            try OwnedDescriptor(opening: flight.image, .write).lock(.exclusive)
        }

        /// Each end while the other one lives.
        @Test func noEndHoldsTheLockOfTheOther() async throws {
            let scene = try await Scene(at: .answer(to: .takeover), Self.plan)
            defer { scene.end() }

            #expect(try scene.source.locks(on: scene.flight.image).isEmpty)
            #expect(try scene.destination.locks(on: scene.flight.image) == ["WRITE"])
            scene.interceptor.decide(.pass)
            try await scene.flight.left(for: scene.destination)
            try await scene.flight.expectWork()
            try scene.flight.expectImageIsHeld()
        }

        @Test(arguments: [Interceptor.Message.request(.memory), .answer(to: .state)])
        func destinationDiesSoTheSourceKeepsTheLock(at point: Interceptor.Message) async throws {
            let scene = try await Scene(at: point, Self.plan)
            defer { scene.end() }
            try scene.flight.expectImageIsRefused()

            scene.destination.process.signal(SIGKILL)
            scene.interceptor.decide(.cut)
            try await scene.expectGuestStays()
            try scene.flight.expectImageIsHeld()
        }

        /// It was let go already: the destination was to take it.
        /// Number 9 in docs/comparison.md: locks stay away after a failure there.
        @Test func lostTakeoverBringsTheLockBack() async throws {
            let scene = try await Scene(at: .request(.takeover), Self.plan)
            defer { scene.end() }
            #expect(try scene.source.locks(on: scene.flight.image).isEmpty)
            #expect(try scene.destination.locks(on: scene.flight.image).isEmpty)

            scene.interceptor.decide(.cut)
            try await scene.expectGuestStays()
            try scene.flight.expectImageIsHeld()
            try await scene.flight.move(by: .local)
        }

        @Test func wrongDestinationChangesNothing() async throws {
            let flight = try await Flight(Self.plan, in: Lab())

            try flight.vmm.client.sendMigration(
                SendMigrationData(destinationURL: "unix:\(flight.lab.path("nobody"))"))
            #expect(try await flight.vmm.migrationResult().outcome == .failed)
            try flight.expectImageIsHeld()
            try await flight.expectWork()
        }

        // MARK: Thieves

        /// The image that the destination has under this name is another VMM's.
        @Test func imageInUseAtTheDestinationGivesTheGuestBack() async throws {
            let flight = try await Flight(Self.plan, in: Lab())
            let (lab, source) = (flight.lab, flight.vmm)
            let (here, there) = (flight.image, lab.path("copy"))
            _ = try image("copy", in: lab)
            let owner = try lab.start(
                "owner", ["--kernel", try kernel(), "--disk", "path=\(there)"])
            let destination = try flight.startNext()
            let reception = try destination.receive(at: "unix:\(lab.path("door"))")
            let interceptor = try Interceptor(
                at: lab.path("wire"), before: lab.path("door"),
                rewriteConfig: { bytes in
                    let parts = String(decoding: bytes, as: UTF8.self)
                        .split(separator: "\"\(here)\"", omittingEmptySubsequences: false)
                    return Array(parts.joined(separator: "\"\(there)\"").utf8)
                })
            defer { interceptor.close() }

            try source.client.sendMigration(
                SendMigrationData(destinationURL: "unix:\(lab.path("wire"))"))
            let result = try await source.migrationResult()
            #expect(result.outcome == .failed)
            let reasons = result.errors.joined(separator: ": ")
            #expect(reasons.contains("_disk0: \(there) is in use by another VMM"), "\(reasons)")
            #expect(throws: HarnessError.self) { try reception.wait() }
            #expect(try source.client.info().state == .running)
            try await flight.expectWork()
            try flight.expectImageIsHeld()
            #expect(try owner.locks(on: there) == ["WRITE"])
            #expect(try destination.locks(on: there).isEmpty)
            try await flight.move(by: .local)
        }

        /// Somebody takes the image in the moment in which no end has it. The guest stands still
        /// where it was until it gets its image back.
        @Test func imageTakenBetweenTheEndsLeavesTheGuestPaused() async throws {
            let scene = try await Scene(at: .request(.takeover), Self.plan)
            defer { scene.end() }
            let (flight, client) = (scene.flight, scene.source.client)
            let thief = try FileLock(
                locking: OwnedDescriptor(opening: flight.image, .write), .exclusive)

            scene.interceptor.decide(.pass)
            let result = try await scene.source.migrationResult()
            #expect(result.outcome == .failed)
            let reasons = result.errors.joined(separator: ": ")
            #expect(reasons.contains("could not be taken back"), "\(reasons)")
            #expect(reasons.contains("_disk0: \(flight.image) is in use"), "\(reasons)")
            #expect(throws: HarnessError.self) { try scene.reception.wait() }
            #expect(try client.info().state == .paused)
            let refused = refusal(500) { () throws(APIClientError) in try client.perform(.resume) }
            #expect(refused.contains("\(flight.image) is in use"), "\(refused)")
            try await flight.expectStandstill()

            _ = try thief.unlock()
            try client.perform(.resume)
            try await flight.expectWork()
            try flight.expectImageIsHeld()
        }
    }
}
