internal import CLinux
import Glibc

/// A descriptor that belongs to whoever holds this value; it is closed when the value ends.
/// Always close-on-exec.
public struct OwnedDescriptor: ~Copyable, Sendable {
    /// The number, for calls that borrow it. Never close it and never keep it beyond this value.
    public private(set) var rawValue: Int32
    /// What the descriptor refers to, as errors shall name it.
    public let name: String

    /// Takes over a descriptor which nobody else closes. It becomes close-on-exec.
    public init(adopting rawValue: Int32, name: String) throws(SystemError) {
        self.init(owning: rawValue, name: name)
        _ = try check(
            clinux_fcntl_value(rawValue, F_SETFD, FD_CLOEXEC), "take over", name)
    }

    /// Takes over a descriptor that is close-on-exec already.
    package init(owning rawValue: Int32, name: String) {
        self.rawValue = rawValue
        self.name = name
    }

    deinit {
        // An error of close is not one that anybody could act on, and the descriptor is gone.
        if rawValue >= 0 {
            _ = close(rawValue)
        }
    }

    /// Gives the number away; the caller closes it from now on.
    public consuming func take() -> Int32 {
        let number = rawValue
        rawValue = -1
        return number
    }

    /// Another descriptor for the same open file: position, status flags and locks are shared.
    public func duplicate() throws(SystemError) -> OwnedDescriptor {
        OwnedDescriptor(
            owning: try check(clinux_fcntl_value(rawValue, F_DUPFD_CLOEXEC, 0), "duplicate", name),
            name: name)
    }

    /// Changes whether calls wait. This is a flag of the open file, so every process that shares
    /// it sees the change: never call it on a descriptor that is shared with another owner.
    public func setNonblocking(_ nonblocking: Bool) throws(SystemError) {
        let flags = try check(clinux_fcntl_value(rawValue, F_GETFL, 0), "query", name)
        let wanted = nonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK
        if wanted != flags {
            _ = try check(clinux_fcntl_value(rawValue, F_SETFL, wanted), "change", name)
        }
    }

    /// Waits until the descriptor can be read or written, or has failed.
    /// - Throws: `.timedOut` when the deadline comes first.
    public func wait(
        for readiness: Readiness, deadline: MonotonicInstant? = nil
    ) throws(SystemError) {
        var entry = pollfd(fd: rawValue, events: readiness.pollEvents, revents: 0)
        while true {
            var remaining = (deadline ?? .distantFuture).remaining
            // SAFETY: one entry and one time on this frame.
            let count = retryingShim { unsafe clinux_poll(&entry, &remaining) }
            if try check(count, "wait for", name) > 0 { return }
            if let deadline, deadline.hasPassed {
                throw SystemError("wait for", name, .timedOut)
            }
        }
    }
}

/// What a descriptor can be ready for.
public struct Readiness: OptionSet, Hashable, Sendable {
    /// The bits as in `EPOLLIN` and its like.
    public let rawValue: UInt32

    /// Bits of `epoll_event.events`.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    private init(_ event: EPOLL_EVENTS) {
        rawValue = event.rawValue
    }

    /// There is something to read, or the end of the stream.
    public static let readable = Readiness(EPOLLIN)
    /// Something can be written.
    public static let writable = Readiness(EPOLLOUT)
    /// The object is in error. Always reported, never asked for.
    public static let failed = Readiness(EPOLLERR)
    /// The other end is gone. Always reported, never asked for.
    public static let hungUp = Readiness(EPOLLHUP)
    /// The other end has stopped sending.
    public static let readClosed = Readiness(EPOLLRDHUP)

    /// The same bits for poll, which shares the low ones with epoll.
    var pollEvents: Int16 { Int16(truncatingIfNeeded: rawValue) }
}
