import LinuxSystem

/// The time from starting `martlet run` to the first instruction of its guest, in milliseconds.
///
/// The guest's first instructions write a byte to the serial port, which is the VMM's standard
/// output. The clock begins before the process is made and ends when the byte has arrived here, so
/// the figure includes the way of the byte.
struct StartupBenchmark {
    private static let runs = 20

    func run(in lab: borrowing Lab) throws -> [Figure] {
        let kernel = "\(lab.folder)/greeting.elf"
        try OwnedDescriptor(opening: kernel, [.write, .create, .truncate])
            .writeAll(GreetingKernel.image)
        var samples: [Double] = []
        for _ in 0..<lab.repetitions(Self.runs) {
            samples.append(try millisecondsToGreeting(kernel, in: lab))
        }
        return [Figure("start_to_first_instruction", samples, "ms", .atMost(60))]
    }

    private func millisecondsToGreeting(
        _ kernel: String, in lab: borrowing Lab
    ) throws -> Double {
        let pair = try StreamSocket.pair(name: "serial port")
        let output = SharedDescriptor(try pair.second.descriptor.duplicate())
        let start = MonotonicInstant.now
        let process = try ChildProcess(
            path: lab.executable,
            arguments: [
                "run", "--kernel", kernel, "--memory", "size=1G", "--serial", "tty",
                "--log-file", "\(lab.folder)/startup.log",
            ],
            output: output)
        var byte = [UInt8](repeating: 0, count: 1)
        var room = byte.mutableSpan
        let count = try pair.first.receiveAll(into: &room, deadline: .after(milliseconds: 20_000))
        let nanoseconds = MonotonicInstant.now.nanoseconds(since: start)
        guard count == 1, byte == [GreetingKernel.greeting] else {
            throw BenchmarkError.unexpected("The guest did not greet")
        }
        _ = try process.wait(deadline: .after(milliseconds: 20_000))
        return Double(nanoseconds) / 1e6
    }
}
