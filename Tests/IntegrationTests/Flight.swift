import ControlAPI
import Harness
import LinuxSystem
import Testing

/// What a guest is booted with.
struct GuestPlan {
    /// vCPUs, all of which work.
    var processors = 1
    /// What the vCPUs are; nil for the default.
    var profile: String?
    /// As `--memory` takes it.
    var memory = "size=256M"
    /// The memory workload of the test guest; nil for none.
    var memoryWork: String? = "size:8M,rate:20000"
    /// Whether it has a disk, which it writes and verifies.
    var hasDisk = false
    /// Whether it answers on the tap of its network.
    var hasNetwork = false
    /// Further words for the test guest.
    var words: [String] = []
    /// Further options of `martlet run`.
    var options: [String] = []
}

/// A guest on its way through VMMs, followed all the time: its reports must go on from where they
/// were, its workloads must find nothing wrong, and a TCP connection to it must not break.
final class Flight {
    let lab: Lab
    /// The VMM that has the guest.
    private(set) var vmm: MartletProcess
    /// The newest report.
    private(set) var report: GuestLine?
    private let plan: GuestPlan
    private var serial: SerialLog
    private var echo: EchoClient?
    private var moves = 0

    /// Boots a guest and waits until all of its work goes on.
    init(_ plan: GuestPlan = GuestPlan(), in lab: Lab) async throws {
        self.lab = lab
        self.plan = plan
        let serialPath = lab.path("serial")
        vmm = try lab.start("vmm0", try plan.arguments(in: lab, serialPath: serialPath))
        serial = try SerialLog(path: serialPath)
        if plan.hasNetwork {
            echo = try lab.inNetwork {
                try EchoClient(
                    address: "\(LabNetwork.guestAddress):7", deadline: .after(milliseconds: 60_000))
            }
        }
        try await expectWork()
    }

    /// Starts the next VMM, without a guest.
    func startNext(_ arguments: [String] = []) throws -> MartletProcess {
        moves += 1
        return try lab.start("vmm\(moves)", arguments)
    }

    /// Moves the guest to a new VMM and looks whether everything arrived and goes on.
    @discardableResult
    func move(by route: Route) async throws -> MigrationResult {
        let result = try await transfer(by: route)
        #expect(try vmm.client.info().state == .running)
        try await expectWork()
        return result
    }

    /// Moves the guest to a new VMM, whether it runs or not.
    @discardableResult
    func transfer(by route: Route) async throws -> MigrationResult {
        let destination = try startNext()
        let url = route.url(in: lab)
        let reception = try destination.receive(at: url)
        try vmm.client.sendMigration(route.request(to: url))
        let result = try await vmm.migrationResult()
        try #require(result.outcome == .completed, "\(result.errors)\n\(vmm.log)")
        try reception.wait()
        try await left(for: destination)
        return result
    }

    /// The guest has left its VMM for another one, and the process of the source ends.
    func left(for destination: MartletProcess) async throws {
        let source = vmm
        try await eventually("the end of the source") { source.process.exitStatus != nil }
        #expect(source.process.exitStatus == .exited(0))
        vmm = destination
    }

    /// The guest has gone on at another VMM; what became of its source does not matter.
    func isNow(at destination: MartletProcess) {
        vmm = destination
    }

    /// Waits for a report in which a counter has a value.
    func expectCount(_ key: String, _ value: UInt64) async throws {
        try await eventually("\(key)=\(value), not \(String(describing: report))\n\(vmm.log)") {
            _ = try readReports()
            return report?.count(key) == value
        }
    }

    /// Waits until all of the guest's workloads have verified something that they did after now.
    func expectWork() async throws {
        _ = try readReports()
        try await eventually("the guest's next report\n\(vmm.log)") { try readReports() }
        let before = report
        let records = echo?.counts.records ?? 0
        try await eventually("progress of the guest's work since \(String(describing: before))") {
            _ = try readReports()
            return hasProgress(since: before)
                && (echo.map { $0.counts.records > records || $0.counts.failure != nil } ?? true)
        }
        #expect(echo?.counts.failure == nil)
        #expect(report?.count("errors") == 0)
        #expect(report?.count("tcp_lost") ?? 0 == 0)
    }

    /// Checks for a while that no instruction of the guest runs.
    func expectStandstill() async throws {
        _ = try readReports()
        // Several times the interval of the reports.
        try await Task.sleep(for: .milliseconds(400))
        #expect(try !readReports())
    }

    /// Ends the guest and its VMM in an orderly way.
    func end() async throws {
        let vmm = vmm
        try vmm.client.perform(.shutdownVMM)
        try await eventually("the end of the VMM") { vmm.process.exitStatus != nil }
        #expect(vmm.process.exitStatus == .exited(0))
    }

    private func hasProgress(since before: GuestLine?) -> Bool {
        func advanced(_ key: String, by count: UInt64) -> Bool {
            (report?.count(key) ?? 0) >= (before?.count(key) ?? 0) + count
        }
        // Two passes: the first may have begun before.
        return (plan.memoryWork == nil || advanced("mem_passes", by: 2))
            && (!plan.hasDisk || advanced("disk_reads", by: 32))
            && advanced("uptime_ms", by: 1)
    }

    /// Reads what the guest has reported, and checks that it is one guest that goes on.
    ///
    /// - Returns: whether there was a new report.
    private func readReports() throws -> Bool {
        var isNew = false
        for line in try serial.newLines() {
            if line.kind == .error { Issue.record("The guest reports: \(line)") }
            guard line.kind == .report else { continue }
            // Two copies of the guest, or one that was set back, would repeat times.
            let uptime = try #require(line.count("uptime_ms"))
            #expect(uptime > report?.count("uptime_ms") ?? 0, "two guests, or an old one")
            report = line
            isNew = true
        }
        return isNew
    }
}

extension GuestPlan {
    /// The options of `martlet run`.
    func arguments(in lab: Lab, serialPath: String) throws -> [String] {
        var words = ["cpus=\(processors)", "report=50"] + self.words
        if let memoryWork { words.append("memory=\(memoryWork)") }
        let cpus = "boot=\(processors)" + (profile.map { ",profile=\($0)" } ?? "")
        var options = self.options + ["--cpus", cpus, "--memory", memory]
        options += [
            "--kernel", try #require(Prerequisites.guest), "--serial", "file=\(serialPath)",
        ]
        if hasDisk {
            let path = lab.path("disk")
            try OwnedDescriptor(opening: path, [.write, .create]).truncate(to: 32 << 20)
            options += ["--disk", "path=\(path)"]
            words.append("disk=size:16M,rate:500")
        }
        if hasNetwork {
            options += ["--net", "tap=\(LabNetwork.tapName)"]
            words.append("net=address:\(LabNetwork.guestAddress)/\(LabNetwork.prefixLength)")
        }
        return options + ["--cmdline", words.joined(separator: " ")]
    }
}

extension MartletProcess {
    /// Waits for the end of the migration that this VMM takes part in, and of any doubt.
    func migrationResult() async throws -> MigrationResult {
        var result: MigrationResult?
        try await eventually("the end of the migration\n\(log)") {
            result = try client.migrationProgress().result
            return result.map { $0.outcome != .inDoubt } ?? false
        }
        return try #require(result)
    }

    /// Waits until the migration that this VMM takes part in has reached a phase.
    func waitForPhase(_ phase: String) async throws {
        try await eventually("phase \(phase)\n\(log)") {
            try client.migrationProgress().phase == phase
        }
    }
}
