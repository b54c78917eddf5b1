/// Decides after each round of pre-copy whether to pause the guest: a pure value.
///
/// What counts is not how many bytes are left but how long the guest would stand still: the bytes
/// at the measured rate, and what else happens in the blackout.
struct Convergence {
    /// What to do with the pages that are dirty now.
    enum Verdict: Equatable {
        /// Pause; they are sent during the blackout.
        case pause
        /// Send them while the guest runs.
        case sendRound
    }

    /// Taking, sending and loading the state of vCPUs and devices, and the takeover, in
    /// nanoseconds, before anything better is known: 15 ms, of which most is the destination's.
    static let stateNanoseconds: UInt64 = 15_000_000

    /// Below this blackout a further round is not worth its time, in nanoseconds: 5 ms more than
    /// what does not depend on memory at all.
    static let goodEnough: UInt64 = stateNanoseconds + 5_000_000

    /// The blackout that is aimed at, in nanoseconds.
    let goal: UInt64

    /// Bytes per second of the last round that was long enough to measure; 0 before.
    private(set) var bytesPerSecond: UInt64 = 0

    /// Bytes that the round before this one began with.
    private var previousBytes: UInt64?

    init(downtimeMilliseconds: UInt64) {
        let (goal, overflow) = downtimeMilliseconds.multipliedReportingOverflow(by: 1_000_000)
        self.goal = overflow ? .max : goal
    }

    /// Notes what a round sent and how long that took. The rate of a round with very few bytes is
    /// that of the turn-around and says nothing.
    mutating func roundEnded(bytes: UInt64, nanoseconds: UInt64) {
        guard nanoseconds > 0, bytes >= Self.leastBytesToMeasure || bytesPerSecond == 0 else {
            return
        }
        let (scaled, overflow) = bytes.multipliedReportingOverflow(by: 1_000_000_000)
        bytesPerSecond = max(1, overflow ? bytes / nanoseconds : scaled / nanoseconds)
    }

    private static let leastBytesToMeasure: UInt64 = 1 << 20

    /// The blackout if the guest were paused with so many bytes left; nil before the rate is
    /// known.
    func predictedBlackout(bytes: UInt64) -> UInt64? {
        if bytes == 0 { return Self.stateNanoseconds }
        guard bytesPerSecond > 0 else { return nil }
        let (scaled, overflow) = bytes.multipliedReportingOverflow(by: 1_000_000_000)
        let memory = overflow ? .max : scaled / bytesPerSecond
        let (sum, exceeded) = memory.addingReportingOverflow(Self.stateNanoseconds)
        return exceeded ? .max : sum
    }

    /// Decides about `bytes` of dirty pages.
    ///
    /// Once the goal is met a further round is sent only if the rounds still shrink by half: then
    /// it costs little time and shortens the blackout. Because they must shrink, that ends.
    mutating func decide(bytes: UInt64) -> Verdict {
        defer { previousBytes = bytes }
        // A goal below what the state alone takes would never be met; then memory must be little.
        let goal = max(self.goal, Self.goodEnough)
        guard let predicted = predictedBlackout(bytes: bytes) else { return .sendRound }
        if predicted <= Self.goodEnough { return .pause }
        guard predicted <= goal else { return .sendRound }
        guard let previousBytes else { return .pause }
        return bytes < previousBytes / 2 ? .sendRound : .pause
    }
}
