import GuestMemory
import LinuxSystem
import Logging
import Machine
import Migration
import MigrationProtocol
import Synchronization
import Testing
import Transport

/// Two processes' worth of engines in one test, connected by real sockets: a simulated guest at
/// the source, and a destination that waits for it.
final class TwoEnds: Sendable {
    let ledger = RunLedger()
    let source: SimulatedGuest
    let sourceControl: OutgoingControl
    let destinationControl: IncomingControl
    let destinationEvents = Mutex<[MigrationEvent]>([])
    let sourceEvents = Mutex<[MigrationEvent]>([])
    let arrived = Mutex<SimulatedGuest?>(nil)
    let listener: SocketListener
    private let done: EventDescriptor
    private let result = Mutex<DestinationResult?>(nil)
    private let thread = Mutex<WorkerThread?>(nil)
    private let clocks = Mutex<[SimulatedClock]>([])
    private let sourceJournal: (any DecisionJournal)?
    private let destinationJournal: (any DecisionJournal)?
    private let reactions = Mutex<[@Sendable (MigrationEvent) -> Void]>([])

    /// How the destination ended.
    enum DestinationResult: Equatable {
        case running
        case paused
        case refused(MigrationError)
    }

    /// How the source ended.
    enum SourceResult: Equatable {
        case moved(MigrationSummary)
        case running(MigrationError)
        case paused(MigrationError)
        case stranded(MigrationError)
        case gone(MigrationError)
    }

    static let layout: [RegionLayout] = [
        RegionLayout(slot: 0, start: GuestAddress(0), size: 4 << 20, fileOffset: 0),
        RegionLayout(
            slot: 1, start: GuestAddress(4 << 30), size: 2 << 20, fileOffset: 4 << 20),
    ]

    init(
        _ url: MigrationURL, layout: [RegionLayout] = TwoEnds.layout,
        backing: MemoryBacking = .sharedFile(hugePages: nil),
        workload: SimulatedGuest.Workload = .init(pagesPerSecond: 5000),
        sourceJournal: (any DecisionJournal)? = nil,
        destinationJournal: (any DecisionJournal)? = nil,
        isImpatient: Bool = false,
        destinationStep:
            @escaping @Sendable (HardwareError.Operation) throws(HardwareError) ->
            Void = { (_: HardwareError.Operation) throws(HardwareError) in }
    ) throws {
        let memory = try GuestRAM(layout: layout, backing: backing)
        source = SimulatedGuest(
            name: "source", memory: memory, workload: workload, seed: 7, ledger: ledger)
        self.sourceJournal = sourceJournal
        self.destinationJournal = destinationJournal
        sourceControl = try OutgoingControl()
        destinationControl = try IncomingControl()
        listener = try HostNetwork(allowsPlainTCP: false).listen(on: url)
        done = try EventDescriptor(name: "destination done")
        if layout == TwoEnds.layout { try fill(memory) }
        try startDestination(destinationStep, isImpatient: isImpatient)
    }

    deinit {
        listener.close()
    }

    private func fill(_ memory: GuestRAM) throws {
        var random = SplitMix64(seed: 3)
        for page in 0..<600 where page % 3 != 0 {
            try memory.store(random.next(), at: GuestAddress(UInt64(page) * 4096 + 8))
        }
        try memory.store(UInt64(42), at: GuestAddress((4 << 30) + 4096))
    }

    private func startDestination(
        _ step: @escaping @Sendable (HardwareError.Operation) throws(HardwareError) -> Void,
        isImpatient: Bool
    ) throws {
        let factory = SimulatedFactory(
            name: "destination", ledger: ledger,
            surroundings: SimulatedGuest.Surroundings(step: step)
        ) { guest in
            self.arrived.withLock { $0 = guest }
        }
        let worker = try WorkerThread(name: "destination") { _ in
            let result =
                isImpatient
                ? self.receive(
                    factory, over: ImpatientNetwork(), at: ImpatientListener(self.listener))
                : self.receive(
                    factory, over: HostNetwork(allowsPlainTCP: false), at: self.listener)
            self.result.withLock { $0 = result }
            self.done.signal()
        }
        thread.withLock { $0 = worker }
    }

    private func receive<Outside: Network>(
        _ factory: SimulatedFactory, over network: Outside, at listener: Outside.Listener
    ) -> DestinationResult {
        let migration = IncomingMigration(
            factory: factory, network: network, listener: listener, control: destinationControl,
            observer: { event in self.destinationEvents.withLock { $0.append(event) } },
            journal: destinationJournal,
            logger: Logger(
                label: "test.destination", factory: { _ in SwiftLogNoOpLogHandler() }))
        return switch migration.run() {
        case .running: .running
        case .paused: .paused
        case .refused(let error): .refused(error)
        }
    }

    /// Does something on the source's thread with each of its events.
    func whenSource(_ body: @escaping @Sendable (MigrationEvent) -> Void) {
        reactions.withLock { $0 = [body] }
    }

    /// Moves the guest, which runs before.
    func move(
        _ options: MigrationOptions,
        over network: some Network = HostNetwork(allowsPlainTCP: false)
    ) throws -> SourceResult {
        try source.start()
        let clock = try SimulatedClock(source)
        defer { clock.stop() }
        return run(.running(VirtualMachine(started: source)), options, over: network)
    }

    /// Moves the guest, which stands still.
    func movePaused(_ options: MigrationOptions) -> SourceResult {
        run(
            .paused(PausedMachine(stopped: source)), options,
            over: HostNetwork(allowsPlainTCP: false))
    }

    private func run<Outside: Network>(
        _ guest: consuming MovableGuest<SimulatedGuest>, _ options: MigrationOptions,
        over network: Outside
    ) -> SourceResult {
        let migration = OutgoingMigration<SimulatedGuest, Outside>(
            options: options, network: network, control: sourceControl,
            observer: { event in
                self.sourceEvents.withLock { $0.append(event) }
                for reaction in self.reactions.withLock({ $0 }) { reaction(event) }
            },
            journal: sourceJournal,
            logger: Logger(label: "test.source", factory: { _ in SwiftLogNoOpLogHandler() }))
        return switch migration.run(guest) {
        case .moved(let summary): .moved(summary)
        case .stayed(.running, let error): .running(error)
        case .stayed(.paused, let error): .paused(error)
        case .stranded(_, let error): .stranded(error)
        case .gone(let error): .gone(error)
        }
    }

    /// Waits for the destination's end.
    func destinationResult() throws -> DestinationResult {
        try done.wait(deadline: .after(milliseconds: 120_000))
        return try #require(result.withLock { $0 })
    }

    /// Pages in which both ends' memory differs.
    func differingPages() throws -> [GuestAddress] {
        let destination = try #require(arrived.withLock { $0 }).memory
        var found: [GuestAddress] = []
        for layout in source.memory.layouts {
            for page in 0..<(layout.size / 4096) {
                let address = GuestAddress(layout.start.rawValue + page * 4096)
                if try source.memory.read(at: address, count: 4096)
                    != destination.read(at: address, count: 4096)
                {
                    found.append(address)
                }
            }
        }
        return found
    }
}
