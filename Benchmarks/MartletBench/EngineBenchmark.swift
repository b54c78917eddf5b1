import Migration
import Transport

/// The engines of both ends without KVM, as threads of one process, with a simulated machine around
/// real memory and a real TCP connection: whole migrations in relation to a bare pump.
///
/// It runs anywhere, and tells whether a low rate of `pre-copy` is the engines' doing.
struct EngineBenchmark {
    private static let byteCount: UInt64 = 512 << 20
    private static let rounds = 5

    func run(in lab: borrowing Lab) throws -> [Figure] {
        let measurement = ThroughputMeasurement(
            url: try MigrationURL(parsing: "tcp:127.0.0.1:0"), bytes: Self.byteCount)
        var ratios: [Double] = []
        var before = try measurement.pump().gigabytesPerSecond
        for _ in 0..<lab.repetitions(Self.rounds) {
            let rate = try measurement.preCopy().gigabytesPerSecond
            let after = try measurement.pump().gigabytesPerSecond
            ratios.append(rate / ((before + after) / 2))
            lab.note(
                "engine: \(decimal(rate)) GB/s, pump before \(decimal(before)), "
                    + "after \(decimal(after))")
            before = after
        }
        return [Figure("engine_to_pump", ratios, "ratio", .atLeast(0.6))]
    }
}
