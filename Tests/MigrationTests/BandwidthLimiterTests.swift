import LinuxSystem
import Testing

@testable import Migration

@Suite struct BandwidthLimiterTests {
    private let start = MonotonicInstant(nanoseconds: 5_000_000_000)

    @Test func bytesAreSpreadOverTime() {
        let limiter = BandwidthLimiter()
        let places = (0..<4).map { _ in limiter.reserve(100_000, at: 1_000_000, now: start).begin }
        #expect(
            places.map { $0.nanoseconds(since: start) }
                == [0, 100, 200, 300].map { $0 * 1_000_000 })
    }

    /// Two connections that take turns have the rate together, not each.
    @Test func pauseIsNotMadeUpFor() {
        let limiter = BandwidthLimiter()
        _ = limiter.reserve(100_000, at: 1_000_000, now: start)
        let later = start.advanced(byNanoseconds: 10_000_000_000)
        #expect(limiter.reserve(100_000, at: 1_000_000, now: later).begin == later)
        #expect(
            limiter.reserve(1, at: 1_000_000, now: later).begin
                == later.advanced(byNanoseconds: 100_000_000))
    }

    @Test func changedRateBeginsAnew() {
        let limiter = BandwidthLimiter()
        let first = limiter.reserve(1 << 30, at: 1000, now: start)
        let second = limiter.reserve(1000, at: 1_000_000, now: start)
        #expect(second.begin == start)
        #expect(second.generation != first.generation)
        #expect(limiter.reserve(1 << 30, at: nil, now: start).begin == start)
    }

    @Test func extremeNumbersDoNotTrap() {
        let limiter = BandwidthLimiter()
        _ = limiter.reserve(.max, at: 1, now: start)
        _ = limiter.reserve(.max, at: 1, now: start)
        #expect(BandwidthLimiter.batchBytes(at: 1) == 64 << 10)
        #expect(BandwidthLimiter.batchBytes(at: .max) > 1 << 60)
    }
}
