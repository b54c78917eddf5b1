import LinuxSystem

/// Measures the parts of a blackout as they end.
struct BlackoutClock {
    /// What was measured so far.
    private(set) var blackout = Blackout()

    /// When the blackout began; nil while the guest runs.
    private(set) var start: MonotonicInstant?

    /// The parts that were measured, in the order of their ends.
    private(set) var ended: [Blackout.Phase] = []

    private var last = MonotonicInstant(nanoseconds: 0)

    /// The guest is about to be stopped.
    mutating func begin(at now: MonotonicInstant) {
        start = now
        last = now
    }

    /// A part has ended; nothing is measured for a guest that was paused by its owner.
    mutating func end(_ phase: Blackout.Phase, at now: MonotonicInstant) {
        guard start != nil else { return }
        blackout[phase] = now.nanoseconds(since: last)
        ended.append(phase)
        last = now
    }
}
