internal import LinuxSystem
import Synchronization

/// Virtual time, and the threads that live in it.
///
/// Threads are real, but only the one that has the turn runs; the turn changes where a thread
/// waits, and time advances only when every thread waits. So what happens is a function of the
/// seed, although the engines under test are ordinary blocking code.
final class SimulatedTime: Sendable {
    /// When a waiting thread can go on.
    enum Readiness {
        /// At once.
        case now
        /// When this point is reached, unless something else happens before.
        case at(MonotonicInstant)
        /// Not before another thread does something.
        case never

        /// The same as a point in time.
        var point: MonotonicInstant {
            switch self {
            case .now: MonotonicInstant(nanoseconds: 0)
            case .at(let point): point
            case .never: .distantFuture
            }
        }
    }

    /// One thread of the simulation.
    private final class Thread: Sendable {
        let turn: EventDescriptor
        init() throws(SystemError) { turn = try EventDescriptor(name: "turn of a thread") }

        func waitForTurn() {
            // An event without a deadline fails only when the descriptor is bad, and it is ours.
            try? turn.wait()
            turn.drain()
        }
    }

    private struct Waiter {
        let thread: Thread
        var deadline: MonotonicInstant
        var condition: @Sendable () -> Readiness
    }

    private struct State {
        var now = MonotonicInstant(nanoseconds: SimulatedTime.start)
        var waiters: [Waiter] = []
        var running: Thread?
        var workers: [WorkerThread] = []
        var random: SplitMix64
        var ended = false
        var trace = RunTrace()
        var onAdvance: @Sendable (MonotonicInstant) -> Void = { _ in }

        /// The waiter whose turn it is, nil when there is none.
        mutating func nextIndex(limit: MonotonicInstant) -> Int? {
            while !waiters.isEmpty {
                if ended { return 0 }
                var ready: [Int] = []
                var earliest = MonotonicInstant.distantFuture
                for (index, waiter) in waiters.enumerated() {
                    let point = min(waiter.condition().point, waiter.deadline)
                    if point <= now { ready.append(index) }
                    earliest = min(earliest, point)
                }
                if !ready.isEmpty {
                    let choice = ready[Int(random.next() % UInt64(ready.count))]
                    trace.note(now.nanoseconds)
                    trace.note(UInt64(choice))
                    return choice
                }
                guard earliest < limit else {
                    ended = true
                    continue
                }
                now = max(now, earliest)
                onAdvance(now)
            }
            return nil
        }
    }

    /// Time does not start at 0, so that subtracting from it is no special case.
    private static let start: UInt64 = 1_000_000_000

    /// A run that lasts longer than this, one virtual week, has lost its way and is ended.
    private static let limit = MonotonicInstant(nanoseconds: start + 7 * 86_400 * 1_000_000_000)

    private let state: Mutex<State>
    private let finished: EventDescriptor

    init(seed: UInt64) throws(SystemError) {
        state = Mutex(State(random: SplitMix64(seed: seed)))
        finished = try EventDescriptor(name: "end of a simulation")
    }

    /// The current virtual time.
    var now: MonotonicInstant { state.withLock { $0.now } }

    /// Whether the simulation was ended, because nobody could go on or for lasting too long; then
    /// no wait waits any more.
    var hasEnded: Bool { state.withLock { $0.ended } }

    /// What happened so far, as a number: two runs in which the same happens have the same.
    var trace: UInt64 { state.withLock { $0.trace.digest } }

    /// Makes something part of the trace.
    func note(_ value: UInt64) {
        state.withLock { $0.trace.note(value) }
    }

    /// Virtual time since the beginning, in nanoseconds.
    var elapsed: UInt64 { now.nanoseconds - Self.start }

    /// The point in time so long after the beginning.
    static func point(_ nanoseconds: UInt64) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: start).advanced(byNanoseconds: nanoseconds)
    }

    /// Sets what is done whenever time advances, with the new time. It must not wait.
    func whenTimeAdvances(_ body: @escaping @Sendable (MonotonicInstant) -> Void) {
        state.withLock { $0.onAdvance = body }
    }

    /// Adds a thread, which starts with its first turn.
    func spawn(_ name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
        let thread = try Thread()
        let worker = try WorkerThread(name: name) { [self] _ in
            thread.waitForTurn()
            body()
            passTurn()
        }
        state.withLock {
            $0.workers.append(worker)
            $0.waiters.append(
                Waiter(thread: thread, deadline: .distantFuture, condition: { .now }))
        }
    }

    /// Runs all threads until the last one has ended. Called once, from outside.
    func run() {
        passTurn()
        // An event without a deadline fails only when the descriptor is bad, and it is our own.
        try? finished.wait()
        // Threads hold what they ran on; taking them out lets all of it go.
        let workers = state.withLock { state in
            defer { state.workers = [] }
            return state.workers
        }
        for worker in workers { worker.join() }
        state.withLock { $0.onAdvance = { _ in } }
    }

    /// Waits until the condition is `.now` or the deadline is reached.
    ///
    /// - Parameter condition: looks only at what the threads of the simulation change, and never
    ///   at the time.
    /// - Returns: whether the condition held.
    func wait(
        until deadline: MonotonicInstant, for condition: @escaping @Sendable () -> Readiness
    ) -> Bool {
        let own = state.withLock { state -> Thread? in
            guard !state.ended, let thread = state.running else { return nil }
            state.waiters.append(
                Waiter(thread: thread, deadline: deadline, condition: condition))
            return thread
        }
        if let own {
            passTurn()
            own.waitForTurn()
        } else {
            // Nobody waits any more, but loops that wait for a point in time shall reach it.
            state.withLock { if deadline < .distantFuture { $0.now = max($0.now, deadline) } }
        }
        return condition().point <= now
    }

    /// Gives the turn to a thread that can go on, after advancing time if need be.
    private func passTurn() {
        let next = state.withLock { state -> Thread? in
            state.running = nil
            let index = state.nextIndex(limit: SimulatedTime.limit)
            guard let index else { return nil }
            let waiter = state.waiters.remove(at: index)
            state.running = waiter.thread
            return waiter.thread
        }
        if let next { next.turn.signal() } else { finished.signal() }
    }
}
