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

    /// What a blackout takes beside memory, in nanoseconds, before anything is known: 15 ms, of
    /// which most is the destination's.
    static let unknownOverhead: UInt64 = 15_000_000

    /// What neither end can try before: stopping the vCPUs and the devices, reading their state,
    /// letting go of the backends, and the first entry into the guest, in nanoseconds: 0.5 ms, as
    /// seen with an idle guest of one vCPU.
    static let standstill: UInt64 = 500_000

    /// A blackout that is longer by no more than this than what does not depend on memory is not
    /// worth a further round, in nanoseconds: 5 ms.
    static let littleMemory: UInt64 = 5_000_000

    /// Rounds in a row that did not shrink, after which pre-copy counts as stalled.
    static let roundsToStall = 3

    /// The blackout that is aimed at, in nanoseconds.
    var goal: UInt64

    /// Taking, sending and loading the state of vCPUs and devices, and the takeover, in
    /// nanoseconds: as the destination told and this end measured.
    var overhead = Convergence.unknownOverhead

    /// Bytes per second of the last round that was long enough to measure; 0 before.
    private(set) var bytesPerSecond: UInt64 = 0

    /// Bytes that the round before this one began with.
    private var previousBytes: UInt64?

    /// The least bytes that a round has begun with, and rounds since.
    private var leastBytes = UInt64.max
    private var roundsSinceLeast = 0

    init(goal: UInt64) {
        self.goal = goal
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
        if bytes == 0 { return overhead }
        guard bytesPerSecond > 0 else { return nil }
        let (scaled, overflow) = bytes.multipliedReportingOverflow(by: 1_000_000_000)
        let memory = overflow ? .max : scaled / bytesPerSecond
        return Self.sum(memory, overhead)
    }

    /// Whether the rounds do not shrink any more: the guest writes at least as fast as its memory
    /// can be sent.
    var isStalled: Bool { roundsSinceLeast >= Self.roundsToStall }

    /// Notes how many bytes are left after a round. A round that is smaller by less than a tenth
    /// than the smallest before it does not count as shrinking.
    mutating func noteRemaining(_ bytes: UInt64) {
        if bytes < leastBytes - leastBytes / 10 {
            leastBytes = bytes
            roundsSinceLeast = 0
        } else {
            roundsSinceLeast += 1
        }
    }

    /// What was learnt about the guest's writing counts no more: it was slowed down or let go.
    mutating func forgetStall() {
        leastBytes = .max
        roundsSinceLeast = 0
    }

    /// Decides about `bytes` of dirty pages.
    ///
    /// Once the goal is met a further round is sent only if the rounds still shrink by half: then
    /// it costs little time and shortens the blackout. Because they must shrink, that ends.
    mutating func decide(bytes: UInt64) -> Verdict {
        defer { previousBytes = bytes }
        // A goal below what the state alone takes would never be met; then memory must be little.
        let goodEnough = Self.sum(overhead, Self.littleMemory)
        guard let predicted = predictedBlackout(bytes: bytes) else { return .sendRound }
        if predicted <= goodEnough { return .pause }
        guard predicted <= max(goal, goodEnough) else { return .sendRound }
        guard let previousBytes else { return .pause }
        return bytes < previousBytes / 2 ? .sendRound : .pause
    }

    private static func sum(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? .max : sum
    }
}
