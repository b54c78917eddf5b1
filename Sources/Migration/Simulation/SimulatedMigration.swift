import GuestMemory
import LinuxSystem
import Logging
import Machine
import MigrationProtocol
import Synchronization
import Transport

/// One migration in a simulated world: the real engines of both ends, a simulated guest, a
/// simulated network in virtual time, and faults. It is a function of its seed and its faults.
public struct SimulatedMigration: Sendable {
    /// Seeds the guest, the order of threads that can go on at the same time, and nothing else.
    public var seed: UInt64
    /// What goes wrong.
    public var faults: [SimulatedFault]
    /// How memory moves.
    public var mode: MigrationOptions.Mode
    /// Whether the guest stands still before.
    public var isPaused: Bool
    /// Whether the source speaks the base protocol only.
    public var usesBaseProtocol: Bool
    /// Connections for memory, as in `MigrationOptions`.
    public var connections: Int
    /// Whether contents are compressed, as in `MigrationOptions`.
    public var compression = MigrationOptions.Compression.off
    /// Whether contents carry checksums.
    public var hasChecksums = false
    /// Whether both ends compare all memory before the point of no return.
    public var verifiesMemory = false
    /// How even the network is.
    public var weather: SimulatedWeather

    /// A migration from its parts.
    public init(
        seed: UInt64, faults: [SimulatedFault] = [], mode: MigrationOptions.Mode = .preCopy,
        isPaused: Bool = false, usesBaseProtocol: Bool = false, connections: Int = 1,
        weather: SimulatedWeather = .steady
    ) {
        self.seed = seed
        self.faults = faults
        self.mode = mode
        self.isPaused = isPaused
        self.usesBaseProtocol = usesBaseProtocol
        self.connections = connections
        self.weather = weather
    }

    /// Where the guest was at the end, as one end knew it.
    public enum Ending: Equatable, Sendable {
        /// It left for the destination.
        case moved
        /// It runs here.
        case running
        /// It stands still here.
        case paused
        /// It is here without a backend.
        case stranded
        /// It is not here, and whether it is anywhere is a person's knowledge.
        case gone
        /// It never was here.
        case refused
    }

    /// What happened.
    public struct Report: Sendable {
        /// What the source said at the end, and why; nil when it did not come to an end.
        public internal(set) var source: Ending?
        /// What the destination said.
        public internal(set) var destination: Ending?
        /// Why the migration failed, at the source.
        public internal(set) var sourceError: MigrationError?
        /// Why it failed, at the destination.
        public internal(set) var destinationError: MigrationError?
        /// Steps that each process took.
        public internal(set) var steps: [SimulatedFault.Place: Int] = [:]
        /// What the guest did to its whole machine, and where.
        public internal(set) var raised: [SimulatedFault] = []
        /// The ends at which its owner acted on that.
        public internal(set) var carriedOut: [SimulatedFault.Place] = []
        /// How long it took in virtual time, in nanoseconds.
        public internal(set) var duration: UInt64 = 0
        /// All that happened, as a number: a run that is repeated exactly has the same.
        public internal(set) var trace: UInt64 = 0
        /// Which rules were broken, in words. Empty is good.
        public internal(set) var violations: [String] = []
    }

    /// Lets it happen.
    ///
    /// - Throws: when the host lacks descriptors, threads or memory for it.
    public func run() throws -> Report {
        let outcome = Mutex<Result<Report, any Error>?>(nil)
        let worker = try WorkerThread(name: "simulation") { _ in
            let result = Result { try runAlone() }
            outcome.withLock { $0 = result }
        }
        worker.join()
        guard let outcome = outcome.withLock({ $0 }) else {
            throw SystemError("run", "the simulation", .notSupported)
        }
        return try outcome.get()
    }

    /// Runs with a descriptor table of its own, so that a descriptor which is left open is one of
    /// this run, whatever else the process does.
    private func runAlone() throws -> Report {
        try DescriptorTable.detach()
        // Both processes are gone when this returns, with all that they held.
        var report = try SimulatedRun(self).run()
        let left = try DescriptorTable.openDescriptors()
        if !left.isEmpty {
            report.violations.append("descriptors are left open: " + left.joined(separator: ", "))
        }
        return report
    }
}

/// The two processes, the person who watches them, and the judge.
final class SimulatedRun: Sendable {
    let plan: SimulatedMigration
    let world: SimulatedWorld
    let source: SimulatedGuest
    let sourceControl: OutgoingControl
    let destinationControl: IncomingControl
    let sourceJournal: SimulatedJournal
    let destinationJournal: SimulatedJournal
    let url = MigrationURL.unix(path: "simulated")

    struct State {
        var arrived: SimulatedGuest?
        var report = SimulatedMigration.Report()
        var memoryAtSwitch: [[UInt8]] = []
        var processorAtSwitch: SimulatedGuest.Processor?
        var stoppedAt: MonotonicInstant?
        var didOperatorDecide = false
        /// The destination was about to run the guest, whether or not it came to that.
        var didDestinationDecide = false
        /// What each end was told of its guest and has kept until the migration has ended.
        var deferred: [SimulatedFault.Place: GuestEvent] = [:]
    }

    let state = Mutex(State())

    /// RAM of two regions that do not touch: 64 and 32 pages.
    private static let layout = [
        RegionLayout(slot: 0, start: GuestAddress(0), size: 64 * 4096, fileOffset: 0),
        RegionLayout(
            slot: 3, start: GuestAddress(1 << 32), size: 32 * 4096, fileOffset: 64 * 4096),
    ]

    init(_ plan: SimulatedMigration) throws {
        self.plan = plan
        let world = try SimulatedWorld(
            seed: plan.seed, faults: plan.faults, weather: plan.weather)
        self.world = world
        let memory = try GuestRAM(layout: Self.layout, backing: .sharedFile(hugePages: nil))
        let relay = SurroundingsRelay()
        source = SimulatedGuest(
            name: SimulatedFault.Place.source.rawValue, memory: memory,
            workload: SimulatedGuest.Workload(pagesPerSecond: 3000), seed: plan.seed,
            ledger: world.ledger, surroundings: relay.surroundings(world, world.source))
        sourceControl = try OutgoingControl()
        destinationControl = try IncomingControl()
        sourceJournal = SimulatedJournal(world: world, process: world.source)
        destinationJournal = SimulatedJournal(world: world, process: world.destination)
        relay.run = self
        try fill(memory)
        connectWorld()
    }

    private func fill(_ memory: GuestRAM) throws(GuestMemoryError) {
        var random = SplitMix64(seed: ~plan.seed)
        for region in memory.regions {
            for page in 0..<(region.layout.size / trackedPageSize) where random.next() % 3 != 0 {
                let start = region.layout.start.rawValue + page * trackedPageSize
                try memory.store(random.next(), at: GuestAddress(start + 16))
            }
        }
    }

    private func connectWorld() {
        world.setActions(
            SimulatedWorld.Actions(
                cancel: { [unowned self] place in
                    switch place {
                    case .source:
                        _ = sourceControl.cancel("the user wished it", at: world.time.now)
                    case .destination:
                        _ = destinationControl.cancel("the user wished it", at: world.time.now)
                    }
                },
                killed: { [unowned self] place in
                    // Ends the loops of a process that has no effects any more.
                    switch place {
                    case .source: sourceControl.giveUp()
                    case .destination:
                        destinationControl.cancellation.request("killed", at: world.time.now)
                    }
                },
                guestEvent: { [unowned self] place, event in raise(event, at: place) }))
        world.time.whenTimeAdvances { [unowned self] now in
            if !world.source.isDead { source.advance(to: now) }
            if !world.destination.isDead { state.withLock { $0.arrived }?.advance(to: now) }
        }
    }

    func run() throws -> SimulatedMigration.Report {
        try world.time.spawn("destination") { [self] in runDestination() }
        try world.time.spawn("source") { [self] in runSource() }
        try world.time.spawn("operator") { [self] in watch() }
        for fault in plan.faults {
            guard case .time(let nanoseconds) = fault.moment else { continue }
            try world.time.spawn("fate") { [self] in
                befall(fault, at: SimulatedTime.point(nanoseconds))
            }
        }
        world.time.run()
        // The listener knows the world, which knows the listener.
        world.setListener(nil)
        judge()
        return state.withLock { $0.report }
    }

    // MARK: - The processes

    private func runSource() {
        var options = MigrationOptions(destination: url, mode: plan.mode)
        options.offersExtensions = !plan.usesBaseProtocol
        options.connections = plan.connections
        options.compression = plan.compression
        options.hasChecksums = plan.hasChecksums
        options.verifiesMemory = plan.verifiesMemory
        let migration = OutgoingMigration<SimulatedGuest, SimulatedNetwork>(
            options: options, network: SimulatedNetwork(world: world, process: world.source),
            control: sourceControl, journal: sourceJournal, logger: Self.silentLogger)
        bootGuest()
        let guest: MovableGuest<SimulatedGuest> =
            plan.isPaused
            ? .paused(PausedMachine(stopped: source)) : .running(VirtualMachine(started: source))
        // The destination's listener is there first, as its user saw to it.
        _ = world.time.wait(until: .distantFuture) { [self] in
            world.listener != nil ? .now : .never
        }
        let (ending, error): (SimulatedMigration.Ending, MigrationError?) =
            switch migration.run(guest) {
            case .moved: (.moved, nil)
            case .stayed(.running, let error): (.running, error)
            case .stayed(.paused, let error): (.paused, error)
            case .stranded(_, let error): (.stranded, error)
            case .gone(let error): (.gone, error)
            }
        // Who comes to an end only because the simulation does has waited for ever.
        guard !world.source.isDead, !world.time.hasEnded else { return }
        carryOutDeferred(at: .source, ownsGuest: ending == .running || ending == .paused)
        state.withLock {
            $0.report.source = ending
            $0.report.sourceError = error
        }
    }

    /// Starts the guest, again if the fault of this run hits its start.
    private func bootGuest() {
        while !plan.isPaused, !source.isRunning, !world.source.isDead {
            try? source.start()
        }
    }

    private func runDestination() {
        let network = SimulatedNetwork(world: world, process: world.destination)
        let relay = SurroundingsRelay()
        relay.run = self
        let factory = SimulatedFactory(
            name: SimulatedFault.Place.destination.rawValue, ledger: world.ledger,
            surroundings: relay.surroundings(world, world.destination)
        ) { [self] guest in
            state.withLock { $0.arrived = guest }
        }
        guard let listener = try? network.listen(on: url) else { return }
        let migration = IncomingMigration(
            factory: factory, network: network, listener: listener, control: destinationControl,
            journal: destinationJournal, logger: Self.silentLogger)
        let (ending, error): (SimulatedMigration.Ending, MigrationError?) =
            switch migration.run() {
            case .running: (.running, nil)
            case .paused: (.paused, nil)
            case .refused(let error): (.refused, error)
            }
        guard !world.destination.isDead, !world.time.hasEnded else { return }
        carryOutDeferred(at: .destination, ownsGuest: ending == .running)
        state.withLock {
            $0.report.destination = ending
            $0.report.destinationError = error
        }
    }

    private static var silentLogger: Logger {
        Logger(label: "simulation", factory: { _ in SwiftLogNoOpLogHandler() })
    }

    /// The person who resolves a doubt that lasts, and calls a destination off to which no source
    /// has come.
    private func watch() {
        resolveDoubt()
        // Longer than all stalls: whoever is connected has noticed by then that nobody is there.
        let end = world.time.now.advanced(byNanoseconds: 600 * 1_000_000_000)
        let isOver = world.time.wait(until: end) { [self] in
            world.destination.isDead || state.withLock { $0.report.destination } != nil
                ? .now : .never
        }
        guard !isOver, !world.time.hasEnded,
            destinationControl.progress(at: world.time.now).phase == .listening
        else { return }
        _ = destinationControl.cancel("no source comes", at: world.time.now)
    }

    /// Ends a doubt after making sure of what the answer is: the destination is killed before the
    /// guest is taken back.
    private func resolveDoubt() {
        let patience: UInt64 = 1800 * 1_000_000_000
        let isOver: @Sendable () -> SimulatedTime.Readiness = { [self] in
            world.source.isDead || state.withLock { $0.report.source } != nil ? .now : .never
        }
        let end = world.time.now.advanced(byNanoseconds: patience)
        if world.time.wait(until: end, for: isOver) { return }
        state.withLock { $0.didOperatorDecide = true }
        if didDestinationTakeOver {
            try? sourceControl.resolveDoubt(.giveUp)
        } else {
            world.kill(world.destination)
            try? sourceControl.resolveDoubt(.takeBack)
        }
    }

    /// Lets a fault happen at its time, unless both ends have ended before.
    private func befall(_ fault: SimulatedFault, at point: MonotonicInstant) {
        let isOver = world.time.wait(until: point) { [self] in
            let report = state.withLock { $0.report }
            let isSourceOver = world.source.isDead || report.source != nil
            let isDestinationOver = world.destination.isDead || report.destination != nil
            return isSourceOver && isDestinationOver ? .now : .never
        }
        guard !isOver, !world.time.hasEnded else { return }
        world.perform(
            fault.kind, at: fault.place == .source ? world.source : world.destination)
    }

    /// Whether the destination took the guest, running or paused.
    private var didDestinationTakeOver: Bool {
        switch state.withLock({ $0.report.destination }) {
        case .running, .paused: true
        default: world.ledger.everRan.contains(SimulatedFault.Place.destination.rawValue)
        }
    }
}

/// Connects a machine with the run that it is part of, which does not exist yet when the machine
/// is made.
private final class SurroundingsRelay: Sendable {
    private let held = Mutex<Weak?>(nil)

    private struct Weak: Sendable {
        weak let run: SimulatedRun?
    }

    var run: SimulatedRun? {
        get { held.withLock { $0?.run } }
        set { held.withLock { $0 = Weak(run: newValue) } }
    }

    func surroundings(
        _ world: SimulatedWorld, _ process: SimulatedProcess
    ) -> SimulatedGuest.Surroundings {
        SimulatedGuest.Surroundings(
            step: { (operation: HardwareError.Operation) throws(HardwareError) in
                if operation == .start, process.place == .destination {
                    self.run?.state.withLock { $0.didDestinationDecide = true }
                }
                let fault = world.takeStep(of: process)
                if process.isDead || fault == .hardwareFailure {
                    throw HardwareError(operation, "The simulated hardware failed.")
                }
                self.run?.commit(fault)
                // Real steps take time too, in which the other end goes on: 0.2 ms.
                let end = world.time.now.advanced(byNanoseconds: 200_000)
                _ = world.time.wait(until: end) { .never }
                if process.isDead {
                    throw HardwareError(operation, "The simulated process was killed.")
                }
            },
            didStop: { self.run?.didStop($0) },
            willStart: { self.run?.willStart($0) },
            onEvent: { self.run?.note($0, at: process.place) })
    }
}
