import ControlAPI
import GuestMemory
import Harness
import LinuxSystem
import Logging
import Machine
import Migration
import Synchronization
import Transport
import VMM

/// The demo without KVM: the same migration engines and the same sockets move a simulated machine,
/// both ends in this process.
struct SimulatedDemo {
    let mebibytes: Int

    /// Moves the machine over TCP, then locally.
    func run() throws {
        say(
            "SIMULATED: a machine that exists only in this program is moved. It has "
                + "\(mebibytes) MiB and writes to its memory; no guest code runs. All memory is "
                + "compared during the blackout, which lengthens it.")
        let ledger = RunLedger()
        let folder = try TemporaryFolder(prefix: "martlet-demo")
        let first = SimulatedGuest(
            name: "first", memory: try makeMemory(), workload: .init(pagesPerSecond: 20_000),
            seed: 1, ledger: ledger)
        let clock = try SimulatedClock(first)
        defer { clock.stop() }
        try first.start()
        MonotonicInstant.after(milliseconds: 500).sleep()
        let second = try Flight(
            to: "second", .preCopy, at: "tcp:127.0.0.1:0", comparingWith: first, ledger)
        let landed = try second.move(VirtualMachine(started: first))
        let hardware = landed.machine.hardware
        let nextClock = try SimulatedClock(hardware)
        defer { nextClock.stop() }
        MonotonicInstant.after(milliseconds: 500).sleep()
        let third = try Flight(
            to: "third", .local, at: "unix:\(folder.path)/local", comparingWith: hardware,
            ledger)
        let rows = [landed.row, try third.move(VirtualMachine(started: hardware)).row]
        say("\nSIMULATED\n" + DemoTable.text(rows), terminator: "")
        guard ledger.violations.isEmpty else {
            throw CommandFailure(ledger.violations.joined(separator: "; "))
        }
    }

    private func makeMemory() throws(GuestMemoryError) -> GuestRAM {
        let size = UInt64(mebibytes) << 20
        return try GuestRAM(
            layout: PhysicalLayout.regions(memorySize: size),
            backing: .sharedFile(hugePages: nil))
    }
}

/// A machine that has arrived, and how.
private struct Landing: ~Copyable {
    let row: DemoRow
    let machine: VirtualMachine<SimulatedGuest>
}

/// One move of the simulated machine: a destination that waits in a thread, and the source's end
/// in the calling one.
private final class Flight: Sendable {
    private let mode: MigrationOptions.Mode
    private let listener: SocketListener
    private let network = HostNetwork(allowsPlainTCP: false)
    private let comparison: Comparison
    private let arrival: Arrival
    private let thread: WorkerThread

    /// Listens and begins to wait.
    init(
        to name: String, _ mode: MigrationOptions.Mode, at place: String,
        comparingWith source: SimulatedGuest, _ ledger: RunLedger
    ) throws {
        say("\nMoving the simulated machine: \(mode.rawValue).")
        let comparison = Comparison()
        let arrival = Arrival()
        let listener = try network.listen(on: try MigrationURL(parsing: place))
        let factory = SimulatedFactory(
            name: name, ledger: ledger,
            surroundings: .init(willStart: { comparison.compare(source.memory, $0.memory) }))
        let incoming = IncomingMigration(
            factory: factory, network: network, listener: listener,
            control: try IncomingControl(), logger: Logger.silent)
        thread = try WorkerThread(name: "arrival") { _ in arrival.outcome.put(incoming.run()) }
        self.mode = mode
        self.listener = listener
        self.comparison = comparison
        self.arrival = arrival
    }

    /// Moves the machine here.
    func move(
        _ machine: consuming VirtualMachine<SimulatedGuest>
    ) throws -> Landing {
        defer { listener.close() }
        let control = try OutgoingControl()
        let outgoing = OutgoingMigration<SimulatedGuest, HostNetwork>(
            options: MigrationOptions(destination: listener.url, mode: mode), network: network,
            control: control, logger: Logger.silent)
        let display = try ProgressThread(control)
        let outcome = outgoing.run(.running(machine))
        thread.join()
        display.stop()
        guard case .moved(let summary) = consume outcome,
            case .running(let moved) = arrival.outcome.withLock({ $0.take() })
        else { throw CommandFailure("The simulated machine did not arrive") }
        say(MigrationResult(summary).summary, terminator: "")
        return Landing(row: row(summary), machine: moved)
    }

    private func row(_ summary: MigrationSummary) -> DemoRow {
        let pages = comparison.pages.withLock { $0 }
        return DemoRow(
            mode: mode.rawValue,
            totalMilliseconds: Double(summary.totalNanoseconds) / 1_000_000,
            blackoutMilliseconds: Double(summary.blackout.total) / 1_000_000,
            verified: UInt64(pages.compared), errors: UInt64(pages.differing))
    }

    /// The outcome of the destination on its way out of its thread.
    private final class Arrival: Sendable {
        let outcome = Mutex<IncomingOutcome<SimulatedGuest>?>(nil)
    }

    /// Pages compared when the machine arrives.
    private final class Comparison: Sendable {
        let pages = Mutex<(compared: Int, differing: Int)>((0, 0))

        func compare(_ left: GuestRAM, _ right: GuestRAM) {
            for (a, b) in zip(left.regions, right.regions) {
                let differing = a.segment.differingPages(from: b.segment)
                pages.withLock {
                    $0.compared += a.segment.count / Int(trackedPageSize)
                    $0.differing += differing
                }
            }
        }
    }
}

/// Shows the progress of a migration whose source is in this process.
private final class ProgressThread: Sendable {
    private let thread: WorkerThread

    init(_ control: OutgoingControl) throws(SystemError) {
        thread = try WorkerThread(name: "progress") { stop in
            var display = MigrationDisplay(MigrationFollower.style)
            while true {
                do throws(SystemError) {
                    try stop.wait(deadline: .after(milliseconds: MigrationFollower.interval))
                    return say(display.ending, terminator: "")
                } catch {
                    let report = MigrationProgressReport(control.progress())
                    say(display.update(report), terminator: "")
                }
            }
        }
    }

    /// Ends the display.
    func stop() {
        thread.requestStop()
        thread.join()
    }
}

extension Logger {
    /// A logger that writes nothing: the demo shows what there is to see.
    fileprivate static var silent: Logger {
        Logger(label: "demo") { _ in SwiftLogNoOpLogHandler() }
    }
}
