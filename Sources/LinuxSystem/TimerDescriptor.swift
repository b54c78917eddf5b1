internal import CLinux
import Glibc

/// Wakes whoever waits for it at a time on the monotonic clock (timerfd).
public struct TimerDescriptor: ~Copyable, Sendable {
    /// For pollers: readable when the time has come. Does not wait.
    public let descriptor: OwnedDescriptor

    /// A timer that is off.
    public init(name: String) throws(SystemError) {
        let object = "timer \(name)"
        descriptor = OwnedDescriptor(
            owning: try check(clinux_timerfd(), "create", object), name: object)
    }

    /// Sets the timer off at `instant`, and then every `interval` nanoseconds if that is not 0.
    /// An instant in the past is due at once. What was set before is forgotten.
    public func set(
        at instant: MonotonicInstant, every interval: UInt64 = 0
    ) throws(SystemError) {
        // A value of 0 would turn the timer off.
        try set(
            itimerspec(
                it_interval: timespec(clampedNanoseconds: interval),
                it_value: timespec(clampedNanoseconds: max(1, instant.nanoseconds))))
    }

    /// Turns the timer off; it is no longer due.
    public func cancel() throws(SystemError) {
        try set(itimerspec())
    }

    /// Takes note that the time has come.
    /// - Returns: How many times since the last call.
    @discardableResult
    public func drain() -> UInt64 {
        var count: UInt64 = 0
        // SAFETY: the kernel writes 8 bytes to the local, or none.
        _ = retrying { unsafe read(descriptor.rawValue, &count, 8) }
        return count
    }

    private func set(_ specification: itimerspec) throws(SystemError) {
        var specification = specification
        // SAFETY: the kernel reads the local.
        let result = unsafe timerfd_settime(
            descriptor.rawValue, Int32(CLINUX_TIMER_ABSOLUTE), &specification, nil)
        _ = try check(result == 0 ? 0 : -errno, "set", descriptor.name)
    }
}
