import LinuxSystem
import Synchronization
import Transport

/// Spreads the bytes of all connections of a migration over time: a token bucket without a store,
/// so that a pause is not made up for by a burst.
///
/// Each batch takes its place in a queue of time, as long as its bytes take at the wanted rate, and
/// is sent when its place begins.
final class BandwidthLimiter: Sendable {
    private struct State {
        /// When the last place that was taken ends.
        var end = MonotonicInstant(nanoseconds: 0)
        var rate: UInt64?
        /// Counts changes of the rate: whoever waits for a place of an older one waits no longer.
        var generation = 0
        var waitedNanoseconds: UInt64 = 0
    }

    private let state = Mutex(State())

    /// The longest time between two looks at whether the rate has changed, in nanoseconds: 100 ms.
    private static let slice: UInt64 = 100_000_000

    /// How much of a second a batch fills at most: 1/8, so that the stream is even and a batch that
    /// waits for its answer keeps no other from its place for long.
    private static let batchesPerSecond: UInt64 = 8

    /// The largest batch for a rate, in bytes: at least 64 KiB.
    static func batchBytes(at rate: UInt64) -> UInt64 {
        max(rate / batchesPerSecond, 64 << 10)
    }

    /// Time that all connections together have waited, in nanoseconds.
    var waitedNanoseconds: UInt64 { state.withLock { $0.waitedNanoseconds } }

    /// Takes a place for `bytes`.
    ///
    /// - Returns: when it begins, and in which generation it was taken.
    func reserve(
        _ bytes: UInt64, at rate: UInt64?, now: MonotonicInstant
    ) -> (begin: MonotonicInstant, generation: Int) {
        state.withLock { state in
            if state.rate != rate {
                state.rate = rate
                state.generation += 1
                state.end = now
            }
            guard let rate, rate > 0 else { return (now, state.generation) }
            let begin = max(state.end, now)
            let (scaled, overflow) = bytes.multipliedReportingOverflow(by: 1_000_000_000)
            state.end = begin.advanced(byNanoseconds: overflow ? .max : scaled / rate)
            return (begin, state.generation)
        }
    }

    /// Waits until `bytes` may be sent.
    ///
    /// - Parameters:
    ///   - rate: asked again and again, because it may change.
    ///   - isOver: ends the wait.
    func wait(
        toSend bytes: UInt64, at rate: () -> UInt64?, on network: some Network,
        unless cancellation: Cancellation?, isOver: () -> Bool
    ) {
        let start = network.now
        let place = reserve(bytes, at: rate(), now: start)
        while network.now < place.begin, cancellation?.request == nil, !isOver() {
            let wanted = rate()
            let isCurrent = state.withLock {
                $0.rate == wanted && $0.generation == place.generation
            }
            guard isCurrent else { break }
            let next = network.now.advanced(byNanoseconds: Self.slice)
            network.sleep(until: min(next, place.begin), unless: cancellation)
        }
        let waited = network.now.nanoseconds(since: start)
        state.withLock { $0.waitedNanoseconds &+= waited }
    }
}
