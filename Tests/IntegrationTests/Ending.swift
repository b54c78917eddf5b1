import ControlAPI
import Harness
import LinuxSystem
import Testing

/// What a guest does to its whole machine when it is told to end.
enum Ending: String, CaseIterable, CustomTestStringConvertible {
    case reset, shutdown, crash

    var testDescription: String { rawValue }

    /// The word of the test guest's command line.
    var word: String {
        switch self {
        case .reset: "reset"
        case .shutdown: ""
        case .crash: "triplefault"
        }
    }

    /// What the VMM that acts on it logs, and no other.
    var actionInLog: String {
        switch self {
        case .reset: "The guest resets itself"
        case .shutdown: "The guest has shut down"
        case .crash: "The guest has crashed"
        }
    }

    /// What both ends are told of a migration which it ends.
    var reason: String {
        switch self {
        case .reset: ""
        case .shutdown: "the guest has shut down"
        case .crash: "had a triple fault"
        }
    }

    /// The status with which the VMM that acts on it ends.
    var status: ChildProcess.ExitStatus? {
        switch self {
        case .reset: nil
        case .shutdown: .exited(0)
        case .crash: .exited(1)
        }
    }
}

/// Two VMMs, and in the first one a guest that ends at the test's word, wherever it is then.
final class EndingScene {
    let lab: Lab
    let source: MartletProcess
    let destination: MartletProcess
    private let toSource: StreamSocket
    private let toDestination: StreamSocket
    private var sourceLog: SerialLog
    private var destinationLog: SerialLog
    /// What the guest has said at each end.
    private(set) var lines: [[GuestLine]] = [[], []]

    init(_ ending: Ending, kernel: String? = nil, in lab: Lab) async throws {
        self.lab = lab
        let guest = try #require(Prerequisites.guest)
        let sourcePair = try StreamSocket.pair(name: "source")
        let destinationPair = try StreamSocket.pair(name: "destination")
        func output(_ name: String) throws -> SharedDescriptor {
            SharedDescriptor(
                try OwnedDescriptor(opening: lab.path(name), [.write, .create, .append]))
        }
        source = try lab.start(
            "source",
            [
                "--kernel", kernel ?? guest, "--memory", "size=64M", "--serial", "tty",
                "--cmdline", "memory=size:4M,rate:2000 report=50 \(ending.word)",
            ],
            input: SharedDescriptor(try sourcePair.second.descriptor.duplicate()),
            output: try output("source.out"))
        destination = try lab.start(
            "destination",
            input: SharedDescriptor(try destinationPair.second.descriptor.duplicate()),
            output: try output("destination.out"))
        toSource = StreamSocket(adopting: try sourcePair.first.descriptor.duplicate())
        toDestination = StreamSocket(adopting: try destinationPair.first.descriptor.duplicate())
        sourceLog = try SerialLog(path: lab.path("source.out"))
        destinationLog = try SerialLog(path: lab.path("destination.out"))
        try await eventually("the guest's first report\n\(source.log)") {
            try count(.report) > 0
        }
    }

    /// Tells the guest to end, at the end where it is thought to be.
    func tell(atDestination: Bool = false) throws {
        let word = [UInt8(ascii: "q")]
        if atDestination {
            try toDestination.sendAll(word.span)
        } else {
            try toSource.sendAll(word.span)
        }
    }

    /// How many lines of a kind the guest has said so far, at one end or at both.
    func count(_ kind: GuestLine.Kind, atDestination: Bool? = nil) throws -> Int {
        lines[0] += try sourceLog.newLines()
        lines[1] += try destinationLog.newLines()
        let ends = atDestination.map { [$0 ? 1 : 0] } ?? [0, 1]
        return ends.map { end in lines[end].count { $0.kind == kind } }.reduce(0, +)
    }

    /// The ends that acted on what the guest did.
    func actors(_ ending: Ending) -> [MartletProcess] {
        [source, destination].filter { $0.log.contains(ending.actionInLog) }
    }
}
