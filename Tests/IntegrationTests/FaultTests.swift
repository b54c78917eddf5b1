import ControlAPI
import Glibc
import Harness
import LinuxSystem
import MigrationProtocol
import Testing

extension GuestTests {
    /// Processes that die, connections that break, and peers that stand still, at chosen points of a
    /// pre-copy. In each case at most one end runs the guest, and which one is decided.
    @Suite struct FaultTests {
        typealias Message = Interceptor.Message

        /// Points up to which the source alone has the guest.
        static let beforeReady: [Message] = [
            .request(.config), .request(.memory), .request(.state), .answer(to: .state),
        ]

        // MARK: Death

        @Test(arguments: beforeReady + [.request(.takeover)])
        func sourceDiesSoTheDestinationRunsNothing(at point: Message) async throws {
            let scene = try await Scene(at: point)
            defer { scene.end() }

            scene.source.process.signal(SIGKILL)
            scene.interceptor.decide(.cut)
            #expect(throws: HarnessError.self) { try scene.reception.wait() }
            refusal(404) { () throws(APIClientError) in
                _ = try scene.destination.client.info()
            }
            try await scene.flight.expectStandstill()
            // It is ready for another one.
            let other = try await Flight(in: Lab())
            let url = "unix:\(scene.flight.lab.path("other"))"
            let reception = try scene.destination.receive(at: url)
            try other.vmm.client.sendMigration(SendMigrationData(destinationURL: url))
            try reception.wait()
            try await other.left(for: scene.destination)
            try await other.expectWork()
        }

        @Test func sourceDiesAfterTheDestinationRuns() async throws {
            let scene = try await Scene(at: .answer(to: .takeover))
            defer { scene.end() }

            scene.source.process.signal(SIGKILL)
            scene.interceptor.decide(.cut)
            try scene.reception.wait()
            scene.flight.isNow(at: scene.destination)
            try await scene.flight.expectWork()
        }

        @Test(arguments: beforeReady)
        func destinationDiesSoTheGuestStays(at point: Message) async throws {
            let scene = try await Scene(at: point)
            defer { scene.end() }

            scene.destination.process.signal(SIGKILL)
            scene.interceptor.decide(.cut)
            try await scene.expectGuestStays()
        }

        /// The destination may have run the guest: nobody runs it until that is known.
        @Test(arguments: [Message.request(.takeover), .answer(to: .takeover)])
        func destinationDiesInTakeoverSoTheGuestIsInDoubt(at point: Message) async throws {
            let scene = try await Scene(at: point)
            defer { scene.end() }

            scene.destination.process.signal(SIGKILL)
            scene.interceptor.decide(.cut)
            try await scene.source.waitForPhase("in-doubt")
            #expect(try scene.source.client.migrationProgress().result?.outcome == .inDoubt)
            try await scene.flight.expectStandstill()
            refusal(500) { () throws(APIClientError) in
                try scene.source.client.perform(.resume)
            }
            #expect(scene.source.log.contains("the answer to Takeover was lost"))
            #expect(scene.source.process.exitStatus == nil)
        }

        // MARK: Broken connections

        @Test(arguments: beforeReady)
        func brokenConnectionLeavesTheGuestWhereItIs(at point: Message) async throws {
            let scene = try await Scene(at: point)
            defer { scene.end() }

            scene.interceptor.decide(.cut)
            try await scene.expectGuestStays()
            #expect(throws: HarnessError.self) { try scene.reception.wait() }
            try await scene.flight.move(by: .local)
        }

        /// The destination has never seen Takeover, and says so when it is asked.
        @Test func takeoverIsLostSoTheGuestComesBack() async throws {
            let scene = try await Scene(at: .request(.takeover))
            defer { scene.end() }

            scene.interceptor.decide(.cut)
            try await scene.expectGuestStays()
            #expect(throws: HarnessError.self) { try scene.reception.wait() }
        }

        /// The destination runs the guest, and says so when it is asked.
        @Test func answerIsLostSoTheSourceAsks() async throws {
            let scene = try await Scene(at: .answer(to: .takeover))
            defer { scene.end() }

            scene.interceptor.decide(.cut)
            #expect(try await scene.source.migrationResult().outcome == .completed)
            try scene.reception.wait()
            try await scene.flight.left(for: scene.destination)
            try await scene.flight.expectWork()
        }

        // MARK: Calling it off

        @Test(arguments: [Message.answer(to: .memory), .answer(to: .state)])
        func cancelBeforeThePointOfNoReturnKeepsTheGuest(at point: Message) async throws {
            let scene = try await Scene(at: point)
            defer { scene.end() }

            try scene.source.client.perform(.cancelMigration)
            scene.interceptor.decide(.pass)
            #expect(try await scene.source.migrationResult().outcome == .cancelled)
            #expect(throws: HarnessError.self) { try scene.reception.wait() }
            try await scene.flight.expectWork()
        }

        @Test func cancelAfterThePointOfNoReturnIsTooLate() async throws {
            let scene = try await Scene(at: .request(.takeover))
            defer { scene.end() }

            let reasons = refusal(500) { () throws(APIClientError) in
                try scene.source.client.perform(.cancelMigration)
            }
            #expect(reasons.contains("can no longer be cancelled"))
            scene.interceptor.decide(.pass)
            try scene.reception.wait()
            try await scene.flight.left(for: scene.destination)
            try await scene.flight.expectWork()
        }

        @Test func destinationThatIsAskedToEndGivesTheGuestBack() async throws {
            let scene = try await Scene(at: .request(.memory))
            defer { scene.end() }

            scene.destination.process.signal(SIGTERM)
            let destination = scene.destination
            try await eventually("the end of the destination") {
                destination.process.exitStatus != nil
            }
            #expect(destination.process.exitStatus == .exited(0))
            scene.interceptor.decide(.pass)
            #expect(try await scene.source.migrationResult().outcome != .completed)
            try await scene.flight.expectWork()
        }

        // MARK: Standing still

        /// Within the bound of the blackout, ten times `downtime_ms` and at least two seconds.
        @Test func stalledBeforeReadyTheGuestIsBackInBoundedTime() async throws {
            let scene = try await Scene(at: .request(.state))
            defer { scene.end() }

            let began = MonotonicInstant.now
            scene.destination.stop()
            scene.interceptor.decide(.pass)
            try await scene.expectGuestStays()
            // The bound is three seconds, and the machine may be loaded.
            #expect(MonotonicInstant.now.nanoseconds(since: began) < 20_000_000_000)
            scene.destination.process.signal(SIGCONT)
            #expect(throws: HarnessError.self) { try scene.reception.wait() }
            try await scene.flight.expectWork()
        }
    }
}
