import LinuxSystem
import Migration
import Testing

/// Both ends' real engines in simulated worlds, with a fault at every step.
///
/// A run that breaks a rule is reported with all that is needed to repeat it. To repeat runs of one
/// seed only, set `MARTLET_SIMULATION_SEED`.
@Suite struct SimulationTests {
    /// The seeds of this test run.
    static let seeds: [UInt64] = environmentSeed.map { [$0] } ?? [1, 2]

    @Test(arguments: Variant.all)
    func migrationWithoutFaultsSucceeds(variant: Variant) throws {
        for seed in Self.seeds {
            let report = try variant.migration(seed: seed, faults: []).run()

            #expect(report.violations == [], "seed \(seed)")
            #expect(report.source == .moved, "seed \(seed): \(report.sourceError as Any)")
            #expect(report.destination == (variant.isPaused ? .paused : .running), "seed \(seed)")
        }
    }

    @Test(arguments: Variant.all)
    func faultAtEveryStepBreaksNoRule(variant: Variant) throws {
        let seed = Self.seeds[0]
        let steps = try variant.migration(seed: seed, faults: []).run().steps
        var runs = 0
        for place in SimulatedFault.Place.allCases {
            for step in 1...(steps[place] ?? 1) {
                for kind in SimulatedFault.kinds {
                    let fault = SimulatedFault(place: place, step: step, kind: kind)
                    let report = try variant.migration(seed: seed, faults: [fault]).run()
                    runs += 1
                    #expect(
                        report.violations == [],
                        "seed \(seed), \(variant), \(fault): source \(report.source as Any) \(report.sourceError as Any), destination \(report.destination as Any) \(report.destinationError as Any)"
                    )
                }
            }
        }
        print("\(variant): \(runs) runs with one fault each, seed \(seed)")
    }
}

extension SimulationTests {
    /// A bit that is flipped on the way, in whichever message with contents: the guest stays at
    /// its source, and both ends say why.
    @Test(arguments: Variant.careful)
    func damagedContentsKeepTheGuestAtItsSource(variant: Variant) throws {
        let seed = Self.seeds[0]
        let steps = try variant.migration(seed: seed, faults: []).run().steps[.source] ?? 1
        var noticed = 0
        for step in 1...steps {
            let fault = SimulatedFault(place: .source, step: step, kind: .damagedContents)
            let report = try variant.migration(seed: seed, faults: [fault]).run()
            #expect(report.violations == [], "seed \(seed), \(variant), \(fault): \(report)")
            if report.source == .moved { continue }
            noticed += 1
            #expect(report.source == (variant.isPaused ? .paused : .running))
            #expect(report.destination == .refused)
            #expect(
                "\(report.sourceError as Any)".contains("amage")
                    || "\(report.sourceError as Any)".contains("differs"), "\(report)")
            #expect(report.destinationError.map(Self.isDamage) == true, "\(report)")
        }
        #expect(noticed > 0)
    }

    private static func isDamage(_ error: MigrationError) -> Bool {
        switch error {
        case .wrongChecksum, .damagedContents, .differingMemory: true
        default: false
        }
    }

    /// The guest resets itself, shuts down or crashes at every step: whoever has it at the end acts
    /// on that, once.
    /// Number 27 in docs/comparison.md: the VMM thread ends there.
    @Test(arguments: Variant.all)
    func guestEventAtEveryStepIsCarriedOutOnceByTheOwner(variant: Variant) throws {
        let seed = Self.seeds[0]
        let steps = try variant.migration(seed: seed, faults: []).run().steps
        var carriedOut: [SimulatedFault.Place: Int] = [:]
        for (place, step, kind) in Self.events(in: steps) {
            let fault = SimulatedFault(place: place, step: step, kind: kind)
            let report = try variant.migration(seed: seed, faults: [fault]).run()
            #expect(report.violations == [], "seed \(seed), \(variant), \(fault): \(report)")
            #expect(
                report.raised.isEmpty || report.carriedOut.count == 1,
                "seed \(seed), \(variant), \(fault): \(report)")
            for place in report.carriedOut { carriedOut[place, default: 0] += 1 }
        }
        // A guest that stands still from the beginning to the end does nothing.
        #expect(carriedOut.isEmpty == variant.isPaused)
        #expect(variant.isPaused || carriedOut.keys.count == 2, "\(carriedOut)")
    }

    private static func events(
        in steps: [SimulatedFault.Place: Int]
    ) -> [(SimulatedFault.Place, Int, SimulatedFault.Kind)] {
        SimulatedFault.Place.allCases.flatMap { place in
            (1...(steps[place] ?? 1)).flatMap { step in
                SimulatedFault.guestEvents.map { (place, step, $0) }
            }
        }
    }
}

/// A way to migrate.
struct Variant: CustomTestStringConvertible, CustomStringConvertible, Sendable {
    var mode: MigrationOptions.Mode
    var isPaused = false
    var usesBaseProtocol = false
    var connections = 1
    var compression = MigrationOptions.Compression.off
    var hasChecksums = false
    var verifiesMemory = false

    static let all = [
        Variant(mode: .preCopy), Variant(mode: .local), Variant(mode: .preCopy, isPaused: true),
        Variant(mode: .preCopy, usesBaseProtocol: true),
        Variant(mode: .local, usesBaseProtocol: true),
        Variant(mode: .preCopy, connections: 3),
        Variant(mode: .preCopy, isPaused: true, connections: 2),
        Variant(mode: .preCopy, usesBaseProtocol: true, connections: 2),
        Variant(mode: .preCopy, compression: .zstd),
        Variant(
            mode: .preCopy, connections: 2, compression: .lz4, hasChecksums: true,
            verifiesMemory: true),
        Variant(mode: .preCopy, connections: 3, compression: .automatic, hasChecksums: true),
        Variant(mode: .preCopy, isPaused: true, hasChecksums: true, verifiesMemory: true),
    ]

    /// Those that notice when contents are damaged on the way.
    static let careful =
        all.filter { $0.hasChecksums || $0.verifiesMemory }
        + [Variant(mode: .preCopy, verifiesMemory: true)]

    func migration(
        seed: UInt64, faults: [SimulatedFault], weather: SimulatedWeather = .steady
    ) -> SimulatedMigration {
        var migration = SimulatedMigration(
            seed: seed, faults: faults, mode: mode, isPaused: isPaused,
            usesBaseProtocol: usesBaseProtocol, connections: connections, weather: weather)
        migration.compression = compression
        migration.hasChecksums = hasChecksums
        migration.verifiesMemory = verifiesMemory
        return migration
    }

    var description: String {
        mode.rawValue + (isPaused ? ", paused" : "") + (usesBaseProtocol ? ", base protocol" : "")
            + (connections > 1 ? ", \(connections) connections" : "")
            + (compression == .off ? "" : ", \(compression.rawValue)")
            + (hasChecksums ? ", checksums" : "") + (verifiesMemory ? ", verified" : "")
    }

    var testDescription: String { description }
}
