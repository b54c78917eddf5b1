import ControlAPI

/// How often the predicted blackout is within a factor of 2 of the real one, over 50 moves of
/// guests with mixed loads.
struct PredictionBenchmark {
    /// A guest and how it is moved.
    private struct Load {
        var name: String
        var work: String
        var downtimeMilliseconds: UInt64 = 300
        var connections: UInt32 = 1
    }

    private static let loads = [
        Load(name: "idle", work: ""),
        Load(name: "calm", work: "memory=size:8M,rate:2000", downtimeMilliseconds: 20),
        Load(name: "busy", work: "memory=size:64M,rate:20000", downtimeMilliseconds: 50),
        Load(name: "busy-4", work: "memory=size:64M,rate:20000", connections: 4),
        Load(name: "fast", work: "memory=size:32M,rate:max"),
    ]
    private static let movesPerLoad = 10

    func run(in lab: borrowing Lab) throws -> [Figure] {
        var factors: [Double] = []
        for load in Self.loads {
            var guest = try TravellingGuest(
                "predict-\(load.name)", memory: "size=256M", work: load.work, in: lab)
            var own: [Double] = []
            for _ in 0..<lab.repetitions(Self.movesPerLoad) {
                let result = try guest.move(.tcp, in: lab) { request in
                    request.downtimeMilliseconds = load.downtimeMilliseconds
                    request.connections = load.connections
                }.result
                guard let predicted = result.predictedBlackoutMilliseconds else {
                    throw BenchmarkError.unexpected("A move was not predicted")
                }
                let real = result.blackoutMilliseconds
                own.append(predicted / max(real, 0.001))
                let phases = result.blackoutPhases.map {
                    "\($0.phase) \(decimal($0.milliseconds))"
                }
                lab.note(
                    "prediction \(load.name): \(decimal(predicted)) ms, real \(decimal(real)) ms ("
                        + phases.joined(separator: ", ") + ")")
            }
            lab.note("prediction \(load.name): median of predicted to real \(decimal(median(own)))")
            factors += own
        }
        let good = factors.filter { (0.5...2).contains($0) }.count
        let share = Double(good) / Double(factors.count)
        return [
            Figure("blackout_predicted_within_2", [share], "ratio", .atLeast(0.9)),
            Figure("blackout_predicted_to_real", factors, "ratio", .atLeast(0.5)),
        ]
    }
}
