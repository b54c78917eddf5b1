import LinuxSystem
import Synchronization

/// What all threads that send memory know about time: how long pre-copy may go on, and when the
/// destination was last known to be there.
///
/// The end is computed whenever it is asked for, because the user may change the timeout meanwhile.
final class PreCopyWatch: Sendable {
    private struct State {
        /// When pre-copy began; nil while its time does not count.
        var start: MonotonicInstant?
        var lastAnswer: MonotonicInstant
        /// Whether the guest stands still: then nothing is held back.
        var isBlackout = false
        /// The longest time between a batch and its answer, in nanoseconds.
        var slowestAnswer: UInt64 = 0
    }

    private let control: OutgoingControl
    private let clock: @Sendable () -> MonotonicInstant
    private let state: Mutex<State>

    /// The longest that an operation under way gets after the end, in nanoseconds: 10 s.
    private static let longestGrace: UInt64 = 10_000_000_000

    init(_ control: OutgoingControl, clock: @escaping @Sendable () -> MonotonicInstant) {
        self.control = control
        self.clock = clock
        state = Mutex(State(lastAnswer: clock()))
    }

    /// Pre-copy begins now, or begins again after it was held.
    func begin() {
        let now = clock()
        state.withLock { $0.start = now }
    }

    /// From now on time does not count.
    func suspend() {
        state.withLock { $0.start = nil }
    }

    /// The guest is about to be stopped.
    func enterBlackout() {
        state.withLock { state in
            state.start = nil
            state.isBlackout = true
        }
    }

    /// The most bytes per second that may be sent now; nil for as fast as it goes.
    var bytesPerSecond: UInt64? {
        state.withLock({ $0.isBlackout }) ? nil : control.settings?.bytesPerSecond
    }

    /// Notes an answer of the destination, on whichever connection.
    ///
    /// - Parameter began: when the message was sent that it answers.
    func noteAnswer(to began: MonotonicInstant? = nil) {
        let now = clock()
        state.withLock { state in
            state.lastAnswer = now
            guard let began else { return }
            state.slowestAnswer = max(state.slowestAnswer, now.nanoseconds(since: began))
        }
    }

    /// When pre-copy has taken as long as it may.
    var end: MonotonicInstant {
        guard let start = state.withLock({ $0.start }), let settings = control.settings else {
            return .distantFuture
        }
        return start.advanced(byNanoseconds: settings.timeoutNanoseconds)
    }

    /// Whether pre-copy has taken as long as it may.
    var isOver: Bool { end <= clock() }

    /// How much longer an operation under way may go on, so that the other end is left between two
    /// messages: longer than any answer took so far.
    var grace: UInt64 {
        let slowest = state.withLock { $0.slowestAnswer }
        return min(max(Self.shortestGrace, slowest &* 4), Self.longestGrace)
    }

    /// What it gets at least, in nanoseconds: 3 s, so that a destination on a busy host is not taken
    /// for a dead one.
    private static let shortestGrace: UInt64 = 3_000_000_000

    /// How long the destination has been silent, in nanoseconds.
    var silence: UInt64 { clock().nanoseconds(since: state.withLock { $0.lastAnswer }) }

    /// Whether nothing was heard of the destination since the end of pre-copy: then it is not the
    /// connection that is slow.
    var isUnanswered: Bool {
        let end = end
        return state.withLock { $0.lastAnswer < end }
    }
}
