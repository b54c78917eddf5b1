import ControlAPI
import Harness
import LinuxSystem

/// The story of the demo: boot, traffic, two moves, a table.
struct DemoFlight: ~Copyable {
    private let lab: DemoLab
    private let folder: TemporaryFolder
    private let network: LabNetwork
    private let serialPath: String

    /// How long anything may take, in milliseconds, before the demo gives up.
    private static let patience = 60_000

    /// Prepares folder and network; the calling thread moves into the network.
    init(_ lab: DemoLab) throws {
        let network = try LabNetwork.enterNew()
        let folder = try TemporaryFolder(prefix: "martlet-demo")
        self.init(lab: lab, folder: folder, network: network)
    }

    private init(lab: DemoLab, folder: TemporaryFolder, network: consuming LabNetwork) {
        self.lab = lab
        self.folder = folder
        self.network = network
        serialPath = "\(folder.path)/serial"
    }

    /// Plays the story.
    consuming func run() throws {
        defer { lab.endAll() }
        let first = try boot()
        var observer = try GuestObserver(serialPath: serialPath)
        try wait(&observer, "the guest's first report") { _ in true }
        let echo = try connect()
        defer { echo.stop() }
        var rows: [DemoRow] = []
        let second = try lab.start("second", in: folder)
        rows.append(
            try move(
                from: first, to: second, "pre-copy over TCP", "tcp:127.0.0.1:4444", &observer, echo)
        )
        let third = try lab.start("third", in: folder)
        rows.append(
            try move(
                from: second, to: third, "local", "unix:\(folder.path)/local", &observer, echo))
        say("\n" + DemoTable.text(rows), terminator: "")
        try third.client.perform(.shutdownVMM)
        if rows.contains(where: { $0.errors > 0 || $0.connectionsLost != 0 }) {
            throw CommandFailure("The guest was damaged by a move")
        }
    }
}

// MARK: - Scenes

extension DemoFlight {
    private borrowing func boot() throws -> MartletProcess {
        say(
            "Booting a guest with \(lab.mebibytes) MiB and 2 vCPUs, which dirties and verifies "
                + "memory and answers on \(LabNetwork.guestAddress).")
        return try lab.start(
            "first", in: folder,
            [
                "--kernel", lab.guest, "--cpus", "boot=2", "--memory", "size=\(lab.mebibytes)M",
                "--net", "tap=\(LabNetwork.tapName)", "--serial", "file=\(serialPath)",
                "--cmdline",
                "cpus=2 memory=size:\(lab.mebibytes / 4)M,rate:20000 "
                    + "net=address:\(LabNetwork.guestAddress)/\(LabNetwork.prefixLength) report=100",
            ])
    }

    private borrowing func connect() throws -> EchoClient {
        let echo = try EchoClient(
            address: "\(LabNetwork.guestAddress):7",
            deadline: .after(milliseconds: Self.patience))
        try wait("the TCP connection to the guest") { echo.counts.records > 0 }
        say("A TCP connection to the guest is echoing.")
        return echo
    }

    private borrowing func move(
        from source: MartletProcess, to destination: MartletProcess, _ mode: String, _ url: String,
        _ observer: inout GuestObserver, _ echo: EchoClient
    ) throws -> DemoRow {
        try lab.checkInterruption()
        say("\nMoving the guest: \(mode).")
        let before = observer.report?.count("mem_verified") ?? 0
        echo.resetGap()
        let reception = try destination.receive(at: url)
        var request = SendMigrationData(destinationURL: url)
        request.local = mode == "local"
        try source.client.sendMigration(request)
        let result = try MigrationFollower(client: source.client, isQuiet: false).follow()
        guard result.outcome == .completed else { throw CommandFailure(result.summary) }
        try reception.wait()
        say(result.summary, terminator: "")
        let after = try watch(&observer, echo)
        return DemoRow(
            mode: mode, totalMilliseconds: result.totalMilliseconds,
            blackoutMilliseconds: result.blackoutMilliseconds, guestGap: after.gap,
            clientGap: echo.counts.longestGap,
            verified: after.verified - min(before, after.verified),
            errors: after.errors, connectionsLost: echo.counts.failure == nil ? 0 : 1)
    }

    /// Lets the guest work a while at its new place.
    private borrowing func watch(
        _ observer: inout GuestObserver, _ echo: EchoClient
    ) throws -> (gap: UInt64, verified: UInt64, errors: UInt64) {
        var gap: UInt64 = 0
        var reports = 0
        let records = echo.counts.records
        try wait(&observer, "reports of the guest at its new place") { line in
            gap = max(gap, line.count("gap_recent_us") ?? 0)
            reports += 1
            return reports >= 15
        }
        try wait("an answer of the guest at its new place") {
            echo.counts.records > records || echo.counts.failure != nil
        }
        let report = observer.report
        return (gap, report?.count("mem_verified") ?? 0, report?.count("errors") ?? 0)
    }
}

// MARK: - Waiting

extension DemoFlight {
    private borrowing func wait(
        _ observer: inout GuestObserver, _ what: String, _ condition: (GuestLine) -> Bool
    ) throws {
        let end = MonotonicInstant.after(milliseconds: Self.patience)
        while true {
            try lab.checkInterruption()
            let slice = MonotonicInstant.after(milliseconds: 200)
            if try observer.waitForReport(deadline: min(slice, end), where: condition) != nil {
                return
            }
            if end.hasPassed { throw CommandFailure("Nothing came: \(what)") }
        }
    }

    private borrowing func wait(_ what: String, _ condition: () -> Bool) throws {
        let end = MonotonicInstant.after(milliseconds: Self.patience)
        while !condition() {
            try lab.checkInterruption()
            if end.hasPassed { throw CommandFailure("Nothing came: \(what)") }
            MonotonicInstant.after(milliseconds: 5).sleep()
        }
    }
}
