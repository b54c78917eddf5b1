import ArgumentParser
import ControlAPI
import LinuxSystem

/// Runs benchmarks and says whether their goals are met.
@main
struct MartletBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "MartletBench",
        abstract: "Measures Martlet: one line `name value unit goal met|missed` for each figure.",
        discussion: """
            Without names all benchmarks run. Figures are medians; --json writes what they are \
            medians of as well. The exit status is 0 also where a goal is missed.
            """)

    @Argument(
        help: "Benchmarks to run (all): \(BenchmarkName.allValueStrings.joined(separator: ", ")).")
    var names: [BenchmarkName] = []

    @Option(help: ArgumentHelp("Also write all figures to a file.", valueName: "path"))
    var json: String?

    @Option(help: ArgumentHelp("The VMM to measure.", valueName: "path"))
    var martlet = ".build/release/martlet"

    @Option(help: ArgumentHelp("Nestling, the guest.", valueName: "path"))
    var guest = ".build/nestling/nestling.elf"

    @Option(
        help: ArgumentHelp(
            "A QEMU to measure beside; without one, figures beside QEMU are left out.",
            valueName: "path"))
    var qemu: String?

    @Option(
        help: ArgumentHelp(
            "Repeat nothing more often than this: for a short look, not for figures.",
            valueName: "count"))
    var most: Int?

    func run() throws {
        let lab = try Lab(executable: martlet, guest: guest, qemu: qemu, most: most)
        var figures: [Figure] = []
        var failed = false
        for name in names.isEmpty ? BenchmarkName.allCases : names {
            do {
                for figure in try name.run(in: lab) {
                    print(figure.line)
                    figures.append(figure)
                }
            } catch {
                lab.note("\(name.rawValue) failed: \(error)")
                failed = true
            }
        }
        if let json {
            let file = try OwnedDescriptor(opening: json, [.write, .create, .truncate])
            try file.writeAll(JSONBody.encode(figures, isPretty: true) + [0x0a])
        }
        if failed { throw ExitCode.failure }
    }
}

/// The benchmarks, in the order in which they run; the first four need no KVM.
enum BenchmarkName: String, CaseIterable, ExpressibleByArgument {
    case zeroScan = "zero-scan"
    case pageWalk = "page-walk"
    case engine
    case zeroCopy = "zero-copy"
    case startup
    case footprint
    case blackoutLocal = "blackout-local"
    case blackoutTCP = "blackout-tcp"
    case preCopy = "pre-copy"
    case preCopyTLS = "pre-copy-tls"
    case slowdown
    case prediction

    func run(in lab: borrowing Lab) throws -> [Figure] {
        switch self {
        case .zeroScan: try ZeroScanBenchmark().run(in: lab)
        case .pageWalk: try PageWalkBenchmark().run(in: lab)
        case .engine: try EngineBenchmark().run(in: lab)
        case .zeroCopy: try ZeroCopyBenchmark().run(in: lab)
        case .startup: try StartupBenchmark().run(in: lab)
        case .footprint: try FootprintBenchmark().run(in: lab)
        case .blackoutLocal: try LocalBlackoutBenchmark().run(in: lab)
        case .blackoutTCP: try BlackoutBenchmark().run(in: lab)
        case .preCopy: try PreCopyBenchmark().run(in: lab)
        case .preCopyTLS: try ProtectedPreCopyBenchmark().run(in: lab)
        case .slowdown: try SlowdownBenchmark().run(in: lab)
        case .prediction: try PredictionBenchmark().run(in: lab)
        }
    }
}
