import ControlAPI

/// How long an idle guest with 1 GiB of used memory stands still while it moves: on the source's
/// clock, from before the vCPUs are stopped until the destination's Running is received.
struct BlackoutBenchmark {
    let mode: TravellingGuest.Mode

    private static let moves = 20

    func run(in lab: borrowing Lab) throws -> [Figure] {
        var guest = try TravellingGuest(
            "blackout-\(mode.rawValue)", memory: "size=1G", in: lab)
        var totals: [Double] = []
        var phases: [(name: String, samples: [Double])] = []
        for move in 0..<Self.moves {
            let result = try guest.move(mode, in: lab).result
            totals.append(result.blackoutMilliseconds)
            for (index, phase) in result.blackoutPhases.enumerated() {
                if move == 0 { phases.append((phase.phase, [])) }
                phases[index].samples.append(phase.milliseconds)
            }
        }
        let parts = phases.map { "\($0.name) \(decimal(median($0.samples)))" }
        lab.note(
            "blackout-\(mode.rawValue): medians in ms: \(parts.joined(separator: ", ")); "
                + "longest \(decimal(totals.max() ?? 0))")
        return [Figure("blackout_\(mode.rawValue)", totals, "ms", .atMost(goal))]
    }

    private var goal: Double {
        switch mode {
        case .local: 5
        case .tcp, .tls: 20
        }
    }
}
