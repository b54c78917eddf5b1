public import GuestMemory
public import LinuxSystem
public import Machine
import Synchronization

/// A machine without a CPU: its "guest" writes to memory as a function of a seed and of time.
///
/// It satisfies the same protocol as the KVM machine, so the engines move it unchanged. Who
/// advances its time is up to the owner: the simulation does in virtual time, `SimulatedClock` in
/// real time. Every hardware step first asks the owner whether it shall fail.
public final class SimulatedGuest: GuestHardware {
    /// What the guest does while it runs.
    public struct Workload: Hashable, Sendable {
        /// Pages written per second.
        public var pagesPerSecond: UInt64
        /// Pages that are written, counted from the start of RAM; 0 means all.
        public var hotPages: Int
        /// Bytes of state beside what the guest needs, to give State a realistic size.
        public var stateBytes: Int
        /// How long restoring the state takes, as a destination tells.
        public var restoreNanoseconds: UInt64

        /// A workload.
        public init(
            pagesPerSecond: UInt64 = 2000, hotPages: Int = 0, stateBytes: Int = 20_000,
            restoreNanoseconds: UInt64 = 1_000_000
        ) {
            self.pagesPerSecond = pagesPerSecond
            self.hotPages = hotPages
            self.stateBytes = stateBytes
            self.restoreNanoseconds = restoreNanoseconds
        }
    }

    /// What the owner is told and asked.
    public struct Surroundings: Sendable {
        /// Called before each step; throwing makes the step fail.
        public var step: @Sendable (HardwareError.Operation) throws(HardwareError) -> Void
        /// Called when the guest stands still, with the machine.
        public var didStop: @Sendable (SimulatedGuest) -> Void
        /// Called before the guest runs, with the machine.
        public var willStart: @Sendable (SimulatedGuest) -> Void
        /// Told what the guest does to its whole machine, and again when it is started with that
        /// pending.
        public var onEvent: @Sendable (GuestEvent) -> Void

        /// Surroundings in which nothing fails and nobody looks.
        public init(
            step: @escaping @Sendable (HardwareError.Operation) throws(HardwareError) -> Void = {
                (_: HardwareError.Operation) throws(HardwareError) in
            },
            didStop: @escaping @Sendable (SimulatedGuest) -> Void = { _ in },
            willStart: @escaping @Sendable (SimulatedGuest) -> Void = { _ in },
            onEvent: @escaping @Sendable (GuestEvent) -> Void = { _ in }
        ) {
            self.step = step
            self.didStop = didStop
            self.willStart = willStart
            self.onEvent = onEvent
        }
    }

    /// The part that moves with the guest as its CPU state would.
    struct Processor: Equatable {
        var random: SplitMix64
        var pagesWritten: UInt64 = 0
        var pendingEvent: GuestEvent?

        static func == (left: Processor, right: Processor) -> Bool {
            left.random.state == right.random.state && left.pagesWritten == right.pagesWritten
                && left.pendingEvent == right.pendingEvent
        }
    }

    private struct State {
        var processor: Processor
        var isRunning = false
        var lastAdvance = MonotonicInstant(nanoseconds: 0)
        var isReleased = false
        var tracksDirtyPages = false
        var preparations = 0
        /// What is taken from its time, in percent.
        var throttlePercent = 0
    }

    /// Nothing: there are no page tables.
    public func prepareMemory(_ memory: ArrivingMemory) {}

    /// The guest's RAM.
    public let memory: GuestRAM

    /// The name of this instance in the ledger.
    public let name: String

    let workload: Workload
    private let ledger: RunLedger
    private let surroundings: Surroundings
    private let state: Mutex<State>
    /// Pages that were written and not forgotten.
    private let record: Mutex<PageSet>

    /// A machine that stands still.
    public init(
        name: String, memory: GuestRAM, workload: Workload, seed: UInt64, ledger: RunLedger,
        surroundings: Surroundings = Surroundings()
    ) {
        self.name = name
        self.memory = memory
        self.workload = workload
        self.ledger = ledger
        self.surroundings = surroundings
        state = Mutex(State(processor: Processor(random: SplitMix64(seed: seed))))
        record = Mutex(PageSet(layouts: memory.layouts))
    }

    /// Pages that the guest has written since it was born, wherever it ran.
    public var pagesWritten: UInt64 { state.withLock { $0.processor.pagesWritten } }

    /// Whether the guest runs here.
    public var isRunning: Bool { state.withLock { $0.isRunning } }

    var processor: Processor { state.withLock { $0.processor } }

    /// What the guest did to its whole machine.
    public var pendingEvent: GuestEvent? { state.withLock { $0.processor.pendingEvent } }

    /// Lets a guest that runs do something to its whole machine, after which it does nothing more.
    ///
    /// - Returns: whether it ran.
    @discardableResult
    public func raise(_ event: GuestEvent) -> Bool {
        let isFirst = state.withLock { state in
            guard state.isRunning, state.processor.pendingEvent == nil else { return false }
            state.processor.pendingEvent = event
            return true
        }
        if isFirst { surroundings.onEvent(event) }
        return isFirst
    }

    /// Lets the guest do what it does until `now`; nothing when it stands still.
    public func advance(to now: MonotonicInstant) {
        state.withLock { state in
            let elapsed = now.nanoseconds(since: state.lastAdvance)
            guard state.isRunning, state.processor.pendingEvent == nil,
                state.lastAdvance.nanoseconds > 0
            else {
                state.lastAdvance = now
                return
            }
            // Slices too short for one page add up until they are long enough.
            let due = Self.pages(
                in: elapsed,
                at: workload.pagesPerSecond * UInt64(100 - state.throttlePercent) / 100)
            guard due > 0 else { return }
            state.lastAdvance = now
            for _ in 0..<min(due, Self.mostPagesAtOnce) { writePage(&state.processor) }
        }
    }

    /// A long wait in virtual time is not worth more writes than this; more say nothing new.
    private static let mostPagesAtOnce: UInt64 = 512

    private static func pages(in nanoseconds: UInt64, at rate: UInt64) -> UInt64 {
        nanoseconds.multipliedReportingOverflow(by: rate).partialValue / 1_000_000_000
    }

    /// Writes a word somewhere, or clears a whole page: one in eight, so that pages become zero
    /// again after they had contents.
    private func writePage(_ processor: inout Processor) {
        let choice = processor.random.next()
        let value = processor.random.next()
        processor.pagesWritten += 1
        var page = choice % UInt64(max(1, workload.hotPages > 0 ? workload.hotPages : pageCount))
        for region in memory.regions {
            let pages = region.layout.size / trackedPageSize
            guard page >= pages else {
                let start = region.layout.start.rawValue + page * trackedPageSize
                write(value, to: start, clearing: choice >> 61 == 0)
                return
            }
            page -= pages
        }
    }

    private var pageCount: Int { Int(memory.byteCount / trackedPageSize) }

    private func write(_ value: UInt64, to start: UInt64, clearing: Bool) {
        do throws(GuestMemoryError) {
            if clearing {
                guard let page = GuestRange(start: GuestAddress(start), length: trackedPageSize)
                else { return }
                try memory.fillWithZeros(page)
            } else {
                try memory.store(value, at: GuestAddress(start + value % 512 * 8))
            }
        } catch {
            ledger.report("the simulated guest left its memory: \(error)")
        }
    }

    /// The guest's description; its configuration is the name of the workload's numbers.
    public func describe() throws(HardwareError) -> GuestDescription {
        try surroundings.step(.configure)
        return GuestDescription(
            configuration: Array(Self.configuration(of: workload).utf8), cpuid: [],
            regions: memory.layouts,
            components: [ComponentVersion(name: "simulated", version: 1)])
    }

    /// Notes that its disks are flushed, which only a guest that is here can have.
    public func prepareToLeave() {
        let (isReleased, isRunning) = state.withLock { ($0.isReleased, $0.isRunning) }
        if isReleased { ledger.report("\(name) prepares to leave without its backends") }
        state.withLock { $0.preparations += isRunning ? 1 : 0 }
    }

    /// How often it prepared to leave while it ran.
    public var preparations: Int { state.withLock { $0.preparations } }

    /// Forgets what was written so far and records from now on.
    public func startDirtyTracking() throws(HardwareError) {
        try surroundings.step(.trackDirtyPages)
        record.withLock { record in
            memory.collectDirtyPages(into: &record)
            record.removeAll()
        }
        state.withLock { $0.tracksDirtyPages = true }
    }

    /// Hands out the record.
    public func collectDirtyPages(into pages: inout PageSet) throws(HardwareError) {
        try surroundings.step(.trackDirtyPages)
        guard state.withLock({ $0.tracksDirtyPages }) else {
            throw HardwareError(.trackDirtyPages, "Dirty tracking was not started.")
        }
        record.withLock { record in
            memory.collectDirtyPages(into: &record)
            pages.formUnion(record)
        }
    }

    /// Forgets a part of the record, as the kernel does: also what was written a moment ago.
    public func forgetDirtyPages(
        _ range: Range<Int>, of set: borrowing PageSet, inRegion index: Int
    ) throws(HardwareError) {
        record.withLock { record in
            memory.collectDirtyPages(into: &record)
            var next = range.lowerBound
            while let run = set.nextRun(from: next, inRegion: index),
                run.lowerBound < range.upperBound
            {
                record.remove(pages: run.clamped(to: range), inRegion: index)
                next = run.upperBound
            }
        }
    }

    /// Writes less.
    public func throttle(percent: Int) throws(HardwareError) {
        state.withLock { $0.throttlePercent = min(max(percent, 0), 99) }
    }

    /// What is taken from its time, in percent.
    public var throttlePercent: Int { state.withLock { $0.throttlePercent } }

    /// Ends the record, and throttling.
    public func stopDirtyTracking() {
        state.withLock {
            $0.tracksDirtyPages = false
            $0.throttlePercent = 0
        }
    }

    /// Stands still.
    public func stop() throws(HardwareError) {
        try surroundings.step(.stop)
        state.withLock {
            $0.isRunning = false
            $0.throttlePercent = 0
        }
        ledger.stops(name)
        surroundings.didStop(self)
    }

    /// Runs.
    public func start() throws(HardwareError) {
        try surroundings.step(.start)
        if state.withLock({ $0.isReleased }) {
            ledger.report("\(name) starts without its backends")
        }
        surroundings.willStart(self)
        ledger.starts(name)
        state.withLock { $0.isRunning = true }
        if let pendingEvent { surroundings.onEvent(pendingEvent) }
    }

    /// Rehearses nothing: the time is part of the workload.
    public func rehearseRestore() throws(HardwareError) -> UInt64 { workload.restoreNanoseconds }

    /// The processor's few bytes and the rest as filler.
    public func saveState() throws(HardwareError) -> [UInt8] {
        try surroundings.step(.saveState)
        if isRunning { ledger.report("\(name) saves its state while it runs") }
        let processor = self.processor
        return processor.encoded + [UInt8](repeating: 0x5A, count: workload.stateBytes)
    }

    /// Takes the processor's bytes.
    public func loadState(_ bytes: [UInt8]) throws(HardwareError) {
        try surroundings.step(.loadState)
        guard let processor = Processor(decoding: bytes) else {
            throw HardwareError(.loadState, "The state of the simulated guest is too short.")
        }
        state.withLock {
            $0.processor = processor
            $0.isReleased = true
        }
    }

    /// Lets go of the backends, which are none.
    public func release() throws(HardwareError) -> [UInt8] {
        try surroundings.step(.release)
        state.withLock { $0.isReleased = true }
        return Array("backends of \(name)".utf8)
    }

    /// Takes the backends back.
    public func reclaim() throws(HardwareError) {
        try surroundings.step(.reclaim)
        state.withLock { $0.isReleased = false }
    }

    /// Takes the backends over.
    public func takeOver(_ backendState: [UInt8]) throws(HardwareError) {
        try surroundings.step(.takeOver)
        state.withLock { $0.isReleased = false }
    }

    /// Lets go of what was bound.
    public func letGo() {
        state.withLock { $0.isReleased = true }
    }

    /// There is no network to tell.
}

extension SimulatedGuest {
    /// The configuration that travels: Cloud Hypervisor's shape with the workload inside.
    static func configuration(of workload: Workload) -> String {
        #"{"simulated":{"pages_per_second":\#(workload.pagesPerSecond),"#
            + #""hot_pages":\#(workload.hotPages),"state_bytes":\#(workload.stateBytes),"#
            + #""restore_nanoseconds":\#(workload.restoreNanoseconds)}}"#
    }
}

extension SimulatedGuest.Processor {
    var encoded: [UInt8] {
        [random.state, pagesWritten, eventNumber].flatMap { word in
            (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) }
        }
    }

    init?(decoding bytes: [UInt8]) {
        guard bytes.count >= 24 else { return nil }
        func word(_ offset: Int) -> UInt64 {
            (0..<8).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64($1 * 8) }
        }
        random = SplitMix64(seed: word(0))
        pagesWritten = word(8)
        switch word(16) {
        case 0: pendingEvent = nil
        case 1: pendingEvent = .reset
        case 2: pendingEvent = .shutdown
        case 3: pendingEvent = .panicked
        default: pendingEvent = .crashed(description: Self.crash)
        }
    }

    private var eventNumber: UInt64 {
        switch pendingEvent {
        case nil: 0
        case .reset: 1
        case .shutdown: 2
        case .panicked: 3
        case .crashed: 4
        }
    }

    /// Crashes travel without their words.
    static let crash = "It crashed before it came."
}
