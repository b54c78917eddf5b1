import Migration

/// A migration in which everything that can differ is drawn from one seed: its kind, the network,
/// and up to four faults at steps or moments of either process.
struct RandomMigration: CustomStringConvertible {
    let seed: UInt64
    let variant: Variant
    let weather: SimulatedWeather
    let faults: [SimulatedFault]

    init(seed: UInt64) {
        self.seed = seed
        var random = SplitMix64(seed: seed)
        variant = Variant.all[Int(random.next() % UInt64(Variant.all.count))]
        weather = random.next() % 4 == 0 ? .steady : .rough
        let count = random.next() % 5
        faults = (0..<count).map { _ in Self.fault(using: &random) }
    }

    private static func fault(using random: inout SplitMix64) -> SimulatedFault {
        // More often than other things processes die, which they can in the middle of anything.
        let kind: SimulatedFault.Kind =
            switch random.next() % 8 {
            case 0: .kill
            case 1: .stall(seconds: 1 + random.next() % 60)
            case 2: SimulatedFault.guestEvents[Int(random.next() % 3)]
            default:
                SimulatedFault.kinds[Int(random.next() % UInt64(SimulatedFault.kinds.count))]
            }
        let place: SimulatedFault.Place = random.next() % 2 == 0 ? .source : .destination
        if !kind.needsStep, random.next() % 2 == 0 {
            // From 1 ms to 1 s, early moments as likely as late ones, where one lasts longer.
            let scale: UInt64 = 1_000_000 << (random.next() % 10)
            return SimulatedFault(
                place: place, moment: .time(scale + random.next() % scale), kind: kind)
        }
        // 80 steps cover the longest undisturbed migration; most of them end earlier.
        let range: UInt64 = random.next() % 2 == 0 ? 30 : 80
        return SimulatedFault(place: place, step: 1 + Int(random.next() % range), kind: kind)
    }

    /// Lets it happen.
    func run(adding defects: [SimulatedFault] = []) throws -> SimulatedMigration.Report {
        try variant.migration(seed: seed, faults: defects + faults, weather: weather).run()
    }

    /// What is said of a run that broke a rule: all that it takes to see it again.
    static func complaint(
        seed: UInt64, _ report: SimulatedMigration.Report
    ) -> String {
        """
        \(RandomMigration(seed: seed)): \(report.violations.joined(separator: "; "))
          source: \(report.source.map { "\($0)" } ?? "no end") \(report.sourceError?.description ?? "")
          destination: \(report.destination.map { "\($0)" } ?? "no end") \
        \(report.destinationError?.description ?? "")
          again: MARTLET_SIMULATION_SEED=\(seed) swift test --filter RandomMigrationTests
        """
    }

    var description: String {
        let faults = faults.isEmpty ? ["no fault"] : faults.map(\.description)
        return "seed \(seed) (\(variant), \(weather) network, "
            + faults.joined(separator: ", ") + ")"
    }
}
