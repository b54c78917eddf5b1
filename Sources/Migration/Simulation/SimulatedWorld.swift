import LinuxSystem
import Machine
import MigrationProtocol
import Synchronization

/// A simulated process: it is alive or not.
final class SimulatedProcess: Sendable {
    let place: SimulatedFault.Place
    private let dead = Atomic(false)

    init(_ place: SimulatedFault.Place) {
        self.place = place
    }

    var isDead: Bool { dead.load(ordering: .relaxed) }

    func die() {
        dead.store(true, ordering: .relaxed)
    }
}

/// What all simulated processes share: time, connections, and the fault that is to happen.
final class SimulatedWorld: Sendable {
    let time: SimulatedTime
    let ledger = RunLedger()
    let source = SimulatedProcess(.source)
    let destination = SimulatedProcess(.destination)

    private struct State {
        var pipes: [SimulatedPipe] = []
        var listener: SimulatedListener?
        var steps: [SimulatedFault.Place: Int] = [:]
        var faults: [SimulatedFault]
        var weather: SplitMix64
        var partitionEnd = MonotonicInstant(nanoseconds: 0)
        var isTakeoverSent = false
        var isReturnedReceived = false
        var actions: Actions?
    }

    /// What faults do that the world cannot do by itself.
    struct Actions: Sendable {
        var cancel: @Sendable (SimulatedFault.Place) -> Void
        var killed: @Sendable (SimulatedFault.Place) -> Void
        var guestEvent: @Sendable (SimulatedFault.Place, GuestEvent) -> Void
    }

    private let weather: SimulatedWeather
    private let state: Mutex<State>

    init(
        seed: UInt64, faults: [SimulatedFault], weather: SimulatedWeather
    ) throws(SystemError) {
        time = try SimulatedTime(seed: seed)
        self.weather = weather
        state = Mutex(State(faults: faults, weather: SplitMix64(seed: ~seed)))
    }

    /// What a new connection is like, in one direction.
    func makeLine() -> SimulatedLine {
        state.withLock { weather.makeLine(using: &$0.weather) }
    }

    /// When bytes that are sent now arrive.
    func arrival(over line: SimulatedLine) -> MonotonicInstant {
        let delay = state.withLock { line.delay(using: &$0.weather) }
        return time.now.advanced(byNanoseconds: delay)
    }

    func setActions(_ actions: Actions) {
        state.withLock { $0.actions = actions }
    }

    // MARK: - Connections

    var listener: SimulatedListener? { state.withLock { $0.listener } }

    func setListener(_ listener: SimulatedListener?) {
        state.withLock { $0.listener = listener }
    }

    func add(_ pipes: SimulatedPipe...) {
        state.withLock { $0.pipes += pipes }
    }

    /// Nobody can connect before this point.
    var partitionEnd: MonotonicInstant { state.withLock { $0.partitionEnd } }

    func breakConnections() {
        for pipe in state.withLock({ $0.pipes }) { pipe.close(.broken) }
    }

    // MARK: - Faults

    /// Steps that a process has taken so far.
    func steps(of place: SimulatedFault.Place) -> Int {
        state.withLock { $0.steps[place] ?? 0 }
    }

    /// Counts a step and lets happen what is planned for it.
    ///
    /// - Returns: the fault, which for some kinds is left to the caller.
    @discardableResult
    func takeStep(of process: SimulatedProcess) -> SimulatedFault.Kind? {
        guard !process.isDead else { return nil }
        let place = process.place
        let kind = state.withLock { state -> SimulatedFault.Kind? in
            let step = (state.steps[place] ?? 0) + 1
            state.steps[place] = step
            return state.faults.first { $0.place == place && $0.moment == .step(step) }?.kind
        }
        if let kind { perform(kind, at: process) }
        return kind
    }

    /// Lets befall a process what needs no step of it.
    func perform(_ kind: SimulatedFault.Kind, at process: SimulatedProcess) {
        switch kind {
        case .hardwareFailure, .truncatedMessage, .errorReply, .damagedContents, .forgottenPages,
            .leakedDescriptor, .endlessStep:
            break
        case .lostPeer:
            breakConnections()
        case .stall(let seconds):
            let end = time.now.advanced(byNanoseconds: seconds * 1_000_000_000)
            let pipes = state.withLock { state in
                state.partitionEnd = end
                return state.pipes
            }
            for pipe in pipes { pipe.stall(until: end) }
        case .cancel:
            state.withLock { $0.actions }?.cancel(process.place)
        case .kill:
            kill(process)
        case .guestEvent(let event):
            state.withLock { $0.actions }?.guestEvent(process.place, event)
        }
    }

    /// Ends a process: its guest stands still, its connections end, nothing it does has effects.
    func kill(_ process: SimulatedProcess) {
        guard !process.isDead else { return }
        process.die()
        ledger.stops(process.place.rawValue)
        breakConnections()
        state.withLock { $0.actions }?.killed(process.place)
    }

    /// Turns a received answer into Error.
    func spoil(_ answer: inout [UInt8]) {
        guard answer.count == Response.byteCount else { return }
        answer.replaceSubrange(0..<Response.byteCount, with: Response(.error).encoded)
    }

    // MARK: - What an observer of the wire knows

    /// Whether the source began to send Takeover or Complete.
    var isTakeoverSent: Bool { state.withLock { $0.isTakeoverSent } }

    /// Whether the source was told that the guest is its own again.
    var isReturnedReceived: Bool { state.withLock { $0.isReturnedReceived } }

    func note(sent bytes: [UInt8], by process: SimulatedProcess) {
        guard process.place == .source, !process.isDead, bytes.count >= Request.byteCount,
            let request = try? Request(decoding: bytes.span.extracting(first: Request.byteCount))
        else { return }
        switch request.command {
        case .takeover, .complete, .completePaused:
            state.withLock { $0.isTakeoverSent = true }
        default: break
        }
    }

    func note(received bytes: [UInt8], by process: SimulatedProcess) {
        guard process.place == .source, bytes.count == Response.byteCount,
            let response = try? Response(decoding: bytes.span), response.status == .returned
        else { return }
        state.withLock { $0.isReturnedReceived = true }
    }
}
