import ControlAPI
import Glibc
import Harness
import LinuxSystem
import MigrationProtocol
import Testing

/// Peers that stand still while memory is sent: noticed after the idle limit of half a minute, which
/// all of these wait for at the same time.
@Suite(.needsExecutable, .needsGuest) struct StallTests {
    private static let plan = GuestPlan(memory: "size=64M", memoryWork: "size:4M,rate:2000")

    @Test func destinationThatStandsStillIsGivenUp() async throws {
        let scene = try await Scene(at: .answer(to: .config), Self.plan)
        defer { scene.end() }

        scene.destination.stop()
        scene.interceptor.decide(.pass)
        try await eventually("the end of the migration", within: 90) {
            try scene.source.client.migrationProgress().result != nil
        }
        try await scene.expectGuestStays()
        scene.destination.process.signal(SIGCONT)
        #expect(throws: HarnessError.self) { try scene.reception.wait() }
        refusal(404) { () throws(APIClientError) in _ = try scene.destination.client.info() }
    }

    @Test func sourceThatStandsStillIsGivenUp() async throws {
        let scene = try await Scene(at: .answer(to: .config), Self.plan)
        defer { scene.end() }

        scene.source.stop()
        scene.interceptor.decide(.pass)
        try await eventually("the end of the wait", within: 90) {
            try scene.destination.client.migrationProgress().result != nil
        }
        #expect(throws: HarnessError.self) { try scene.reception.wait() }
        refusal(404) { () throws(APIClientError) in _ = try scene.destination.client.info() }
        scene.source.process.signal(SIGCONT)
        try await scene.expectGuestStays()
    }

    /// Nobody knows whether the destination runs the guest, until it can be asked. When it goes on
    /// it finds both Takeover and the question, and whichever it takes first decides: for one end.
    @Test func destinationThatStandsStillInTakeoverLeavesADoubtUntilItGoesOn() async throws {
        let scene = try await Scene(at: .request(.takeover), Self.plan)
        defer { scene.end() }

        scene.destination.stop()
        scene.interceptor.decide(.pass)
        try await eventually("the doubt", within: 90) {
            try scene.source.client.migrationProgress().phase == "in-doubt"
        }
        try await scene.flight.expectStandstill()
        scene.destination.process.signal(SIGCONT)
        let hasArrived = (try? scene.reception.wait()) != nil
        if hasArrived {
            try await scene.flight.left(for: scene.destination)
            try await scene.flight.expectWork()
        } else {
            refusal(404) { () throws(APIClientError) in
                _ = try scene.destination.client.info()
            }
            try await scene.expectGuestStays()
        }
    }
}
