import Intrinsics

/// The longest time in which one vCPU did not see its clock: what a pause, a move or a busy host
/// looks like from inside.
///
/// After a sleep one tick is taken off, since so much was asked for.
struct GapMeter {
    private let tick: UInt64
    private var last: UInt64
    /// Since boot or `reset`, in cycles.
    private let longest = Counter()
    /// Since `takeRecent`, in cycles.
    private let recent = Counter()
    /// How often the clock went backwards.
    private(set) var reversals: UInt64 = 0

    init(_ clock: Clock, tick: UInt64) {
        self.tick = tick
        last = clock.now
    }

    /// Starts anew, on the vCPU that it belongs to.
    mutating func start() { last = read_tsc() }

    @inline(__always)
    mutating func observe(_ now: UInt64, slept: Bool) {
        guard now >= last else {
            reversals += 1
            last = now
            return
        }
        let passed = now - last
        last = now
        let gap = slept ? (passed > tick ? passed - tick : 0) : passed
        if gap > recent.value { note(gap) }
    }

    private func note(_ gap: UInt64) {
        recent.set(gap)
        if gap > longest.value { longest.set(gap) }
    }

    /// In cycles. From any vCPU.
    var longestCycles: UInt64 { longest.value }

    /// In cycles; the next call starts from zero. From any vCPU.
    func takeRecent() -> UInt64 { recent.take() }

    /// From any vCPU.
    func reset() {
        recent.set(0)
        longest.set(0)
    }
}
