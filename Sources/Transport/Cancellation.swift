public import LinuxSystem
import Synchronization

/// A wish to stop which any thread can state once and which operations notice while they wait.
///
/// An operation under way gets `grace` to finish, so that the peer is left between two messages
/// and can be told the reason; after that it is broken off.
public final class Cancellation: Sendable {
    /// A wish that was stated.
    public struct Request: Hashable, Sendable {
        /// Why, in words for both ends' logs.
        public let reason: String

        /// When an operation under way is broken off.
        public let graceEnd: MonotonicInstant
    }

    /// How long an operation under way may go on unless its owner says otherwise, in
    /// nanoseconds: 1 s.
    public static let grace: UInt64 = 1_000_000_000

    private let grace: UInt64

    private let stated = Mutex<Request?>(nil)
    private let isStated = Atomic(false)

    /// Becomes readable with the request and stays so; what waits for a peer waits for this too.
    public let event: EventDescriptor

    /// A cancellation that nobody asked for yet.
    ///
    /// - Parameter graceNanoseconds: how long an operation under way may go on after the request.
    public init(graceNanoseconds: UInt64 = Cancellation.grace) throws(SystemError) {
        grace = graceNanoseconds
        event = try EventDescriptor(name: "cancellation")
    }

    /// The request, when there is one.
    public var request: Request? {
        guard isStated.load(ordering: .acquiring) else { return nil }
        return stated.withLock { $0 }
    }

    /// States the wish; only the first one counts.
    ///
    /// - Returns: whether this call was the first.
    @discardableResult
    public func request(_ reason: String, at now: MonotonicInstant = .now) -> Bool {
        let isFirst = stated.withLock { stated in
            guard stated == nil else { return false }
            stated = Request(
                reason: reason, graceEnd: now.advanced(byNanoseconds: grace))
            return true
        }
        guard isFirst else { return false }
        isStated.store(true, ordering: .releasing)
        event.signal()
        return true
    }
}
