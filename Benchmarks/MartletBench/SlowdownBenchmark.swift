import ControlAPI
import Harness
import LinuxSystem

/// What a guest that writes 100 MB/s does during pre-copy, in relation to what it did just before:
/// writes per second of its own clock.
///
/// The limit for bandwidth keeps the rounds going: the guest writes more than may be sent. It is
/// not slowed down on purpose, and stays where it is.
struct SlowdownBenchmark {
    private static let repetitions = 5
    /// How long the guest is watched each time, on its clock.
    private static let windowMilliseconds: UInt64 = 2000

    func run(in lab: borrowing Lab) throws -> [Figure] {
        let serial = "\(lab.folder)/slowdown.serial"
        let source = try MartletProcess(
            executable: lab.executable, name: "slowdown", folder: lab.folder,
            arguments: [
                "--kernel", lab.guest, "--cmdline", "report=50 memory=size:256M,rate:25000",
                "--memory", "size=1G", "--serial", "file=\(serial)",
            ])
        var log = try SerialLog(path: serial)
        // The first pass over its memory is slower than any other.
        _ = try writesPerSecond(&log, during: 4 * Self.windowMilliseconds, in: lab)
        var ratios: [Double] = []
        for number in 0..<lab.repetitions(Self.repetitions) {
            let before = try writesPerSecond(&log, during: Self.windowMilliseconds, in: lab)
            let destination = try MartletProcess(
                executable: lab.executable, name: "slowdown-\(number)", folder: lab.folder)
            let url = "tcp:\(try lab.freeLoopbackAddress())"
            let arrival = try destination.receive(ReceiveMigrationData(receiverURL: url))
            var request = SendMigrationData(destinationURL: url)
            request.downtimeMilliseconds = 1
            request.throttleMaximum = 0
            request.bandwidth = 80_000_000
            try source.client.sendMigration(request)
            let during = try writesPerSecond(&log, during: Self.windowMilliseconds, in: lab)
            guard try source.client.migrationProgress().phase == "memory" else {
                throw BenchmarkError.unexpected("The guest left while it was watched")
            }
            try source.client.perform(.cancelMigration)
            // It is refused there, because it stays here.
            try? arrival.wait()
            ratios.append(during / before)
            lab.note(
                "slowdown: \(Int(before)) writes/s before, \(Int(during)) during pre-copy")
        }
        return [Figure("pre_copy_guest_speed", ratios, "ratio", .atLeast(0.8))]
    }

    /// What the guest writes per second, on its own clock, from now on.
    private func writesPerSecond(
        _ log: inout SerialLog, during milliseconds: UInt64, in lab: borrowing Lab
    ) throws -> Double {
        _ = try log.newLines()
        var first: (uptime: UInt64, writes: UInt64)?
        var last: (uptime: UInt64, writes: UInt64)?
        try lab.wait(for: "the guest's reports", seconds: 120) {
            for line in try log.newLines() where line.kind == .report {
                guard let uptime = line.count("uptime_ms"), let writes = line.count("mem_writes")
                else { continue }
                first = first ?? (uptime, writes)
                last = (uptime, writes)
            }
            guard let first, let last else { return false }
            return last.uptime >= first.uptime + milliseconds
        }
        guard let first, let last else { return 0 }
        return Double(last.writes - first.writes) * 1000 / Double(last.uptime - first.uptime)
    }
}
