public import LinuxSystem
import Synchronization

/// When a peer was last heard of on any of its connections: one that sends memory on one
/// connection is not silent on another.
public final class PeerActivity: Sendable {
    private let nanoseconds = Atomic<UInt64>(0)

    /// Of a peer that was not heard of yet.
    public init() {}

    /// Notes that the peer was heard of.
    public func note(at now: MonotonicInstant) {
        nanoseconds.store(now.nanoseconds, ordering: .relaxed)
    }

    /// When the peer was last heard of.
    var last: MonotonicInstant {
        MonotonicInstant(nanoseconds: nanoseconds.load(ordering: .relaxed))
    }
}
