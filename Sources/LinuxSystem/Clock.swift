import Glibc

/// A point on the monotonic clock, in nanoseconds; deadlines are such points. Comparable only
/// within one boot of one host.
public struct MonotonicInstant: Comparable, Hashable, Sendable {
    /// Nanoseconds since an arbitrary point before the host was up.
    public let nanoseconds: UInt64

    /// The point `nanoseconds` on the clock.
    public init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    /// The current time.
    public static var now: MonotonicInstant {
        MonotonicInstant(nanoseconds: readClock(CLOCK_MONOTONIC))
    }

    /// A point that never comes.
    public static let distantFuture = MonotonicInstant(nanoseconds: .max)

    /// `milliseconds` from now; negative values count as 0.
    public static func after(milliseconds: Int) -> MonotonicInstant {
        now.advanced(byNanoseconds: UInt64(max(0, milliseconds)).multipliedClamped(by: 1_000_000))
    }

    /// This point and `nanoseconds` more, or the distant future.
    public func advanced(byNanoseconds nanoseconds: UInt64) -> MonotonicInstant {
        let (sum, overflow) = self.nanoseconds.addingReportingOverflow(nanoseconds)
        return overflow ? .distantFuture : MonotonicInstant(nanoseconds: sum)
    }

    /// Nanoseconds from `earlier` to this point, 0 if that is later.
    public func nanoseconds(since earlier: MonotonicInstant) -> UInt64 {
        nanoseconds > earlier.nanoseconds ? nanoseconds - earlier.nanoseconds : 0
    }

    /// Whether this point has come.
    public var hasPassed: Bool { self <= .now }

    /// The order of the clock.
    public static func < (left: MonotonicInstant, right: MonotonicInstant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// What is left until this point, for calls that take a relative time.
    var remaining: timespec {
        timespec(clampedNanoseconds: nanoseconds(since: .now))
    }
}

/// The wall clock.
public enum RealtimeClock {
    /// Nanoseconds since 1970-01-01 00:00 UTC.
    public static var nanoseconds: UInt64 { readClock(CLOCK_REALTIME) }
}

extension timespec {
    /// A time; the distant future is cut to what `time_t` holds.
    init(clampedNanoseconds nanoseconds: UInt64) {
        self.init(
            tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
    }
}

extension UInt64 {
    fileprivate func multipliedClamped(by factor: UInt64) -> UInt64 {
        let (product, overflow) = multipliedReportingOverflow(by: factor)
        return overflow ? .max : product
    }
}

private func readClock(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    // SAFETY: the kernel fills the local; both clocks exist on every Linux, so it cannot fail.
    unsafe clock_gettime(clock, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
}
