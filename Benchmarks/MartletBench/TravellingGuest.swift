import ControlAPI
import Harness
import LinuxSystem

/// A Nestling that is moved from VMM process to VMM process, idle unless it is given work.
struct TravellingGuest {
    /// Where it is now.
    private(set) var process: MartletProcess

    private let name: String
    private var moves = 0
    private var certificates: TLSFolder?

    /// Work that leaves the processors to others: a tick that comes seldom, and few reports. Where
    /// KVM works by software, a tick each millisecond takes several percent of a processor.
    static let quiet = "tick=100 report=1000"

    /// How it moves.
    enum Mode: String {
        /// Its memory is handed over.
        case local
        /// Its memory is copied over loopback.
        case tcp
        /// The same, protected with TLS.
        case tls
    }

    /// How a move went, as the source tells.
    struct Move {
        var result: MigrationResult
        /// Bytes of memory per second of the first pass; 0 where memory was handed over.
        var bytesPerSecond: Double
        /// What the guest wrote meanwhile.
        var dirtiedBytesPerSecond: Double
    }

    /// Boots it with memory full of random contents and waits until it has no more to do.
    ///
    /// - Parameters:
    ///   - name: names its sockets and logs.
    ///   - memory: the value of `--memory`.
    ///   - work: further words of its command line.
    init(_ name: String, memory: String, work: String = "", in lab: borrowing Lab) throws {
        self.name = name
        let serial = "\(lab.folder)/\(name).serial"
        process = try MartletProcess(
            executable: lab.executable, name: "\(name)-0", folder: lab.folder,
            arguments: [
                "--kernel", lab.guest, "--cmdline", "fill=random \(work)", "--memory", memory,
                "--serial", "file=\(serial)",
            ], patience: 120_000)
        lab.note("\(name): the guest fills its memory")
        var log = try SerialLog(path: serial)
        try lab.wait(for: "the guest's memory to be filled", seconds: 120) {
            try log.newLines().contains { $0.kind == .filled }
        }
    }

    /// Moves it into a new process. The old one has ended when this returns.
    mutating func move(
        _ mode: Mode, connections: UInt32 = 1, in lab: borrowing Lab,
        adjust: (inout SendMigrationData) -> Void = { _ in }
    ) throws -> Move {
        moves += 1
        let destination = try MartletProcess(
            executable: lab.executable, name: "\(name)-\(moves)", folder: lab.folder)
        let url =
            switch mode {
            case .local: "unix:\(lab.folder)/\(name)-\(moves).migration"
            case .tcp, .tls: "tcp:\(try lab.freeLoopbackAddress())"
            }
        var reception = ReceiveMigrationData(receiverURL: url)
        var request = SendMigrationData(destinationURL: url)
        request.local = mode == .local
        request.connections = connections
        if mode == .tls {
            let folder = try certificates ?? CertificateAuthority().issue()
            certificates = folder
            reception.tlsFolder = folder.path
            request.tlsFolder = folder.path
        }
        let timeline = "\(lab.folder)/\(name)-\(moves).timeline"
        request.timeline = timeline
        adjust(&request)
        let arrival = try destination.receive(reception)
        try process.client.sendMigration(request)
        let report = try lastReport(in: lab)
        guard let result = report.result, result.outcome == .completed else {
            throw BenchmarkError.unexpected("A move failed: \(report.result?.errors ?? [])")
        }
        try arrival.wait()
        _ = try process.process.wait(deadline: .after(milliseconds: 10_000))
        process = destination
        let first = try JSONBody.decode(
            MigrationTimelineReport.self,
            from: try OwnedDescriptor(opening: timeline).readAll(maximum: 16 << 20)
        ).rounds.first
        return Move(
            result: result, bytesPerSecond: Double(first?.rateBytesPerSecond ?? 0),
            dirtiedBytesPerSecond: Double(first?.dirtyRateBytesPerSecond ?? 0))
    }

    /// Follows a move, seldom enough not to be seen in its figures.
    private func lastReport(in lab: borrowing Lab) throws -> MigrationProgressReport {
        let deadline = MonotonicInstant.after(milliseconds: 120_000)
        while true {
            let report = try process.client.migrationProgress()
            if report.result != nil { return report }
            guard !deadline.hasPassed else { throw BenchmarkError.late("a move to end") }
            MonotonicInstant.after(milliseconds: 50).sleep()
        }
    }
}
