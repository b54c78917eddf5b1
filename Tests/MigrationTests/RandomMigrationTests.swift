import Migration
import Testing

/// Migrations drawn from seeds: 300 of them, or `SOAK_SEEDS`, or the one that the user wants to
/// repeat with `MARTLET_SIMULATION_SEED`.
@Suite struct RandomMigrationTests {
    /// The seeds of this test run.
    static let seeds: Range<UInt64> = {
        if let environmentSeed { return environmentSeed..<(environmentSeed + 1) }
        let first: UInt64 = 1000
        return first..<(first + (number(inEnvironment: "SOAK_SEEDS") ?? 300))
    }()

    /// Runs that go on beside each other, since one uses one processor at most.
    static let lanes: Range<UInt64> = 0..<4

    @Test(arguments: lanes)
    func noRandomMigrationBreaksARule(lane: UInt64) throws {
        for seed in Self.seeds where seed % UInt64(Self.lanes.count) == lane {
            let report = try RandomMigration(seed: seed).run()

            let complaint = RandomMigration.complaint(seed: seed, report)
            #expect(report.violations == [], "\(complaint)")
        }
    }

    @Test func aSeedGivesTheSameRunEachTime() throws {
        for seed in Self.seeds.prefix(20) {
            let first = try RandomMigration(seed: seed).run()
            let second = try RandomMigration(seed: seed).run()

            #expect(first.trace == second.trace, "seed \(seed)")
            #expect(first.duration == second.duration, "seed \(seed)")
            #expect(first.steps == second.steps, "seed \(seed)")
            #expect(first.sourceError == second.sourceError, "seed \(seed)")
            #expect(first.destinationError == second.destinationError, "seed \(seed)")
        }
    }

    @Test func differentSeedsGiveDifferentRuns() throws {
        let traces = try (1...20).map { try RandomMigration(seed: $0).run().trace }

        #expect(Set(traces).count == traces.count)
    }

    /// What the rules are worth: VMMs with a defect break one, and do so again each time.
    @Test(arguments: SimulatedFault.defects)
    func aDefectBreaksARuleAgainWhenItsSeedIsRepeated(kind: SimulatedFault.Kind) throws {
        let defects = (1...60).map { SimulatedFault(place: .source, step: $0, kind: kind) }
        var noticed = 0
        for seed in 1...40 as ClosedRange<UInt64> {
            let report = try RandomMigration(seed: seed).run(adding: defects)
            guard !report.violations.isEmpty else { continue }
            noticed += 1

            let again = try RandomMigration(seed: seed).run(adding: defects)

            #expect(again.violations == report.violations, "seed \(seed)")
            #expect(again.trace == report.trace, "seed \(seed)")
            #expect(
                RandomMigration.complaint(seed: seed, report)
                    .contains("MARTLET_SIMULATION_SEED=\(seed) swift test"))
            if noticed == 3 { break }
        }
        #expect(noticed == 3)
    }
}
