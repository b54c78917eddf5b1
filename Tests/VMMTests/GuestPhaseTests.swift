import ControlAPI
import Testing

@testable import VMM

@Suite struct GuestPhaseTests {
    /// What each call is answered in each phase; 0 when it is carried out.
    private static let statuses: [Endpoint: [GuestPhase: UInt16]] = [
        .ping: row(0, 0, 0, 0, 0, 0, 0),
        .shutdownVMM: row(0, 0, 0, 0, 0, 500, 500),
        .create: row(0, 500, 500, 500, 500, 500, 500),
        .boot: row(404, 0, 500, 500, 500, 500, 500),
        .pause: row(404, 404, 0, 500, 500, 500, 500),
        .resume: row(404, 404, 500, 0, 0, 500, 500),
        .info: row(404, 0, 0, 0, 0, 0, 0),
        .counters: row(404, 404, 0, 0, 0, 0, 500),
        .shutdown: row(404, 404, 0, 0, 0, 500, 500),
        .delete: row(404, 0, 0, 0, 0, 500, 500),
        .reboot: row(404, 404, 0, 0, 0, 500, 500),
        .sendMigration: row(404, 404, 0, 0, 500, 500, 500),
        .receiveMigration: row(0, 500, 500, 500, 500, 500, 500),
        .migrationProgress: row(0, 0, 0, 0, 0, 0, 0),
        .cancelMigration: row(500, 500, 500, 500, 500, 0, 0),
    ]

    /// The phases in their order: empty, created, running, paused, stranded, sending, receiving.
    private static func row(_ statuses: UInt16...) -> [GuestPhase: UInt16] {
        Dictionary(uniqueKeysWithValues: zip(GuestPhase.allCases, statuses))
    }

    @Test(arguments: Endpoint.allCases, GuestPhase.allCases)
    func callIsCarriedOutOrRefused(endpoint: Endpoint, phase: GuestPhase) throws {
        let expected = try #require(Self.statuses[endpoint]?[phase])
        #expect((phase.refusal(of: endpoint)?.status.rawValue ?? 0) == expected)
    }
}
