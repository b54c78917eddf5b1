import Intrinsics

/// Notices that something stopped for good: a tick that no longer comes, a disk that never answers.
///
/// Time is counted in looks, each for at most 10 ms: while the guest itself was stopped, for
/// however long, nothing was late.
struct Patience {
    private let step: UInt64
    private let limit: UInt64
    private var progress: UInt64 = 0
    private var last: UInt64
    private var silence: UInt64 = 0

    init(_ clock: Clock, milliseconds: UInt64) {
        step = clock.cycles(milliseconds: 10)
        limit = clock.cycles(milliseconds: milliseconds)
        last = clock.now
    }

    /// Whether `progress` has not changed for too long. Patience starts anew then.
    mutating func isLost(progress: UInt64) -> Bool {
        let now = read_tsc()
        let passed = now > last ? min(now - last, step) : 0
        last = now
        guard progress == self.progress else {
            self.progress = progress
            silence = 0
            return false
        }
        silence += passed
        guard silence > limit else { return false }
        silence = 0
        return true
    }
}
