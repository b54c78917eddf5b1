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
        .addDisk: row(404, 0, 0, 0, 500, 500, 500),
        .addNet: row(404, 0, 0, 0, 500, 500, 500),
        .removeDevice: row(404, 0, 0, 0, 500, 500, 500),
        .resizeDisk: row(404, 404, 0, 0, 500, 500, 500),
        .powerButton: row(404, 404, 0, 0, 0, 500, 500),
        .nmi: row(404, 404, 0, 0, 0, 500, 500),
        .sendMigration: row(404, 404, 0, 0, 500, 500, 500),
        .receiveMigration: row(0, 500, 500, 500, 500, 500, 500),
        .migrationProgress: row(0, 0, 0, 0, 0, 0, 0),
        .migrationTimeline: row(0, 0, 0, 0, 0, 0, 0),
        .metrics: row(0, 0, 0, 0, 0, 0, 0),
        .cancelMigration: row(500, 500, 500, 500, 500, 0, 0),
        .resolveMigration: row(500, 500, 500, 500, 500, 0, 500),
        .setMigrationOptions: row(500, 500, 500, 500, 500, 0, 500),
        .continueMigration: row(500, 500, 500, 500, 500, 0, 500),
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

    /// The calls that are carried out while the guest is on its way. Whoever adds a call to these
    /// has to know that the guest belongs to another thread then.
    private static let answeredDuringAMigration: [GuestPhase: Set<Endpoint>] = [
        .sending: [
            .ping, .info, .counters, .migrationProgress, .migrationTimeline, .cancelMigration,
            .resolveMigration, .setMigrationOptions, .continueMigration, .metrics,
        ],
        .receiving: [
            .ping, .info, .migrationProgress, .migrationTimeline, .cancelMigration, .metrics,
        ],
    ]

    @Test(arguments: Endpoint.allCases, [GuestPhase.sending, .receiving])
    func whatChangesTheGuestIsRefusedDuringAMigration(endpoint: Endpoint, phase: GuestPhase) throws
    {
        let answered = try #require(Self.answeredDuringAMigration[phase])
        let refusal = phase.refusal(of: endpoint)
        guard !answered.contains(endpoint) else {
            #expect(refusal == nil)
            return
        }
        #expect(refusal?.status == .internalError)
        // A source that is told to create or to receive has a guest; that is the nearer reason.
        let isAboutAnother = phase == .sending && [.create, .receiveMigration].contains(endpoint)
        #expect(
            refusal?.reasons.contains(isAboutAnother ? "VM is already created" : "VM is migrating")
                == true)
    }
}
