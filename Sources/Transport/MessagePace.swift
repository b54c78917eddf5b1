public import LinuxSystem

/// How fast a message has to move once it has begun.
///
/// Every byte starts the idle limit anew, so a peer that lets a byte drip from time to time would
/// hold this end for ever. A message has therefore a reserve of twice the idle limit, which time
/// uses up and bytes fill again at the least rate: what moves is waited for, however large it is,
/// and what drips is not, however large it says that it is.
public struct MessagePace: Sendable {
    /// The least rate, in bytes per second: what each of 128 connections has of a line with eight
    /// megabits per second.
    public static let leastBytesPerSecond: UInt64 = 8192

    /// When the reserve is used up; nil while nothing has moved.
    private var end: MonotonicInstant?

    /// Of a message of which nothing has moved.
    public init() {}

    /// Notes that bytes have moved.
    public mutating func note(
        _ count: Int, within limits: OperationLimits, at now: MonotonicInstant = .now
    ) {
        let most = limits.wholeEnd(from: now)
        // This process may have been stopped for a while: that bytes move shows that they do.
        guard let reserve = end.map({ max($0, now) }) else { return end = most }
        let (time, overflow) = UInt64(clamping: count).multipliedReportingOverflow(
            by: 1_000_000_000 / Self.leastBytesPerSecond)
        end = min(most, reserve.advanced(byNanoseconds: overflow ? .max : time))
    }

    /// Limits with which the rest of the message is waited for.
    public func applied(to limits: OperationLimits) -> OperationLimits {
        var limits = limits
        limits.messageEnd = end
        return limits
    }
}

extension OperationLimits {
    /// How long what comes in one piece may take to come whole, its bytes dripping or not.
    public func wholeEnd(from now: MonotonicInstant) -> MonotonicInstant {
        now.advanced(byNanoseconds: 2 * UInt64(idleSeconds) * 1_000_000_000)
    }
}
