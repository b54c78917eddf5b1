import GuestMemory
import LinuxSystem
import Logging
import Machine
import Migration
import Synchronization
import Testing
import Transport

/// A source whose destination is up to the test.
final class LoneSource: Sendable {
    let ledger = RunLedger()
    let guest: SimulatedGuest
    let control: OutgoingControl
    let url: MigrationURL
    private let seen = Mutex<[MigrationEvent]>([])
    private let throttled = Mutex<UInt64>(0)
    private let reactions = Mutex<[@Sendable (MigrationEvent) -> Void]>([])

    init(
        _ url: MigrationURL,
        workload: SimulatedGuest.Workload = SimulatedGuest.Workload(pagesPerSecond: 50_000)
    ) throws {
        self.url = url
        let memory = try GuestRAM(
            layout: TwoEnds.layout, backing: .sharedFile(hugePages: nil))
        for page in 0..<1000 as Range<UInt64> {
            try memory.store(page + 1, at: GuestAddress(page * 4096))
        }
        guest = SimulatedGuest(
            name: "source", memory: memory,
            workload: workload, seed: 11, ledger: ledger)
        control = try OutgoingControl()
    }

    /// The most that was taken from the guest's time, as the progress said after each round.
    var mostThrottled: UInt64 { throttled.withLock { $0 } }

    var events: [MigrationEvent] { seen.withLock { $0 } }

    /// Writes to pages as the guest would, at a moment of the test's choice.
    func dirtyPages(_ pages: Range<UInt64> = 0..<1000) {
        for page in pages {
            // Addresses inside the first region never fail.
            try? guest.memory.store(page, at: GuestAddress(page * 4096 + 64))
        }
    }

    /// Does something with the control, on the migration's thread, after a round.
    func afterIteration(_ round: UInt64, _ body: @escaping @Sendable (OutgoingControl) -> Void) {
        reactions.withLock { reactions in
            reactions.append { [control] event in
                if event == .memoryIteration(round) { body(control) }
            }
        }
    }

    /// Does something with the control when the answer to Takeover was lost.
    func whenInDoubt(_ body: @escaping @Sendable (OutgoingControl) -> Void) {
        reactions.withLock { reactions in
            reactions.append { [control] event in
                if case .inDoubt = event { body(control) }
            }
        }
    }

    /// Moves the running guest.
    func move(
        over network: some Network = HostNetwork(allowsPlainTCP: false),
        _ adjust: (inout MigrationOptions) -> Void = { _ in }
    ) throws -> TwoEnds.SourceResult {
        try guest.start()
        let clock = try SimulatedClock(guest)
        defer { clock.stop() }
        var options = MigrationOptions(destination: url)
        adjust(&options)
        return run(.running(VirtualMachine(started: guest)), options, over: network)
    }

    /// Moves the guest as one that its owner has paused.
    func movePaused() -> TwoEnds.SourceResult {
        run(
            .paused(PausedMachine(stopped: guest)), MigrationOptions(destination: url),
            over: HostNetwork(allowsPlainTCP: false))
    }

    private func run<Outside: Network>(
        _ guest: consuming MovableGuest<SimulatedGuest>, _ options: MigrationOptions,
        over network: Outside
    ) -> TwoEnds.SourceResult {
        let migration = OutgoingMigration<SimulatedGuest, Outside>(
            options: options, network: network, control: control,
            observer: { event in
                self.seen.withLock { $0.append(event) }
                let percent = self.control.progress().throttlePercent
                self.throttled.withLock { $0 = max($0, percent) }
                for reaction in self.reactions.withLock({ $0 }) { reaction(event) }
            },
            logger: Logger(label: "test.source", factory: { _ in SwiftLogNoOpLogHandler() }))
        return switch migration.run(guest) {
        case .moved(let summary): .moved(summary)
        case .stayed(.running, let error): .running(error)
        case .stayed(.paused, let error): .paused(error)
        case .stranded(_, let error): .stranded(error)
        case .gone(let error): .gone(error)
        }
    }
}
