public import LinuxSystem

/// How long an operation on a channel may take, and what may end it early.
///
/// The idle limit starts anew with every byte that moves, so it bounds how late a vanished peer is
/// noticed without bounding how long a large transfer takes; that a message moves at all is the
/// concern of `MessagePace`. The deadline bounds the whole.
public struct OperationLimits: Sendable {
    /// Longest time without progress, in seconds, unless a caller says otherwise. A peer that
    /// loads a guest answers nothing meanwhile, so this is well above any load time.
    public static let standardIdleSeconds = 30

    /// Longest time without a byte, in seconds, at least 1.
    public var idleSeconds: Int

    /// When the operation ends even if bytes move; nil for no such point.
    public var deadline: MonotonicInstant?

    /// Ends the operation when it is requested; nil for an operation that goes on.
    public var cancellation: Cancellation?

    /// Other connections on which the same peer may be busy meanwhile; nil where it has none.
    public var activity: PeerActivity?

    /// When the message under way is too slow, though its bytes move (`MessagePace`); nil while none
    /// has begun.
    public var messageEnd: MonotonicInstant?

    /// Whether answers to earlier requests may arrive while something is sent. Otherwise one that
    /// comes then refuses the rest.
    public var expectsAnswers = false

    /// Limits for one or more operations.
    public init(
        idleSeconds: Int = OperationLimits.standardIdleSeconds,
        deadline: MonotonicInstant? = nil, cancellation: Cancellation? = nil,
        activity: PeerActivity? = nil
    ) {
        self.idleSeconds = max(1, idleSeconds)
        self.deadline = deadline
        self.cancellation = cancellation
        self.activity = activity
    }

    /// The point at which to give up when no byte moves after `now`, here or where else the peer
    /// is known to be busy. It moves on while the peer is.
    public func end(from now: MonotonicInstant) -> MonotonicInstant {
        let last = activity.map { max($0.last, now) } ?? now
        let idle = last.advanced(byNanoseconds: UInt64(idleSeconds) * 1_000_000_000)
        var end = min(idle, slowEnd ?? .distantFuture, deadline ?? .distantFuture)
        if let request = cancellation?.request { end = min(end, request.graceEnd) }
        return end
    }

    /// When the message under way is too slow. A peer that is busy on other connections may take the
    /// line from this one.
    private var slowEnd: MonotonicInstant? {
        guard let messageEnd else { return nil }
        guard let activity else { return messageEnd }
        return max(
            messageEnd, activity.last.advanced(byNanoseconds: UInt64(idleSeconds) * 1_000_000_000))
    }

    /// The error that a passed `end(from:)` stands for.
    public func expiry(at now: MonotonicInstant, peer: String) -> TransportError {
        if let request = cancellation?.request, request.graceEnd <= now {
            return .cancelled(reason: request.reason)
        }
        if let deadline, deadline <= now { return .deadlinePassed(peer: peer) }
        if let slowEnd, slowEnd <= now { return .tooSlow(peer: peer) }
        return .silent(peer: peer, seconds: idleSeconds)
    }
}
