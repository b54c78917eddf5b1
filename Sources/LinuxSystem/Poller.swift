internal import CLinux
import Glibc

/// Waits for many descriptors at once (epoll). A descriptor is known by a token of the caller's.
public struct Poller: ~Copyable, Sendable {
    private let descriptor: OwnedDescriptor

    /// A poller that waits for nothing yet.
    public init() throws(SystemError) {
        let number = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard number >= 0 else { throw SystemError("create", "a poller", .last) }
        descriptor = OwnedDescriptor(owning: number, name: "a poller")
    }

    /// Waits for `target` from now on, as long as its file is open.
    /// - Parameter edgeTriggered: Reports each change once instead of the state every time.
    public func add(
        _ target: borrowing OwnedDescriptor, for readiness: Readiness, token: UInt64,
        edgeTriggered: Bool = false
    ) throws(SystemError) {
        try control(EPOLL_CTL_ADD, target, readiness, token, edgeTriggered)
    }

    /// Changes what is waited for; an empty set still reports failures.
    public func modify(
        _ target: borrowing OwnedDescriptor, for readiness: Readiness, token: UInt64,
        edgeTriggered: Bool = false
    ) throws(SystemError) {
        try control(EPOLL_CTL_MOD, target, readiness, token, edgeTriggered)
    }

    /// Stops waiting for `target`. Events that another thread has already taken are still its own.
    public func remove(_ target: borrowing OwnedDescriptor) throws(SystemError) {
        try control(EPOLL_CTL_DEL, target, [], 0, false)
    }

    /// Waits until something is ready, then calls `body` for each such descriptor.
    /// - Parameter deadline: When to give up, never if nil.
    /// - Returns: Whether anything was ready; false when the deadline came first.
    @discardableResult
    public func wait(
        deadline: MonotonicInstant? = nil, _ body: (_ token: UInt64, Readiness) -> Void
    ) throws(SystemError) -> Bool {
        let capacity = 32
        let result = unsafe withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: capacity)
        { events in
            let count = unsafe wait(into: events, deadline: deadline)
            for index in 0..<max(0, count) {
                // SAFETY: the kernel filled the first `count` entries.
                let event = unsafe events[index]
                unsafe body(event.data.u64, Readiness(rawValue: event.events))
            }
            return count
        }
        return try check(result, "wait with", descriptor.name) > 0
    }

    /// The number of events, 0 after the deadline, or `-errno`.
    private func wait(
        into events: UnsafeMutableBufferPointer<epoll_event>, deadline: MonotonicInstant?
    ) -> Int {
        guard let base = events.baseAddress else { return 0 }
        let capacity = Int32(events.count)
        while true {
            var remaining = (deadline ?? .distantFuture).remaining
            // SAFETY: the buffer holds `capacity` entries; the time is on this frame.
            let count = unsafe clinux_epoll_wait(
                descriptor.rawValue, base, capacity, &remaining)
            if count != -Errno.interrupted.rawValue { return Int(count) }
        }
    }

    private func control(
        _ operation: Int32, _ target: borrowing OwnedDescriptor, _ readiness: Readiness,
        _ token: UInt64, _ edgeTriggered: Bool
    ) throws(SystemError) {
        let trigger = edgeTriggered ? EPOLLET.rawValue : 0
        var event = unsafe epoll_event(
            events: readiness.rawValue | trigger, data: epoll_data_t(u64: token))
        // SAFETY: the kernel reads one entry from the local.
        let result = retrying {
            unsafe epoll_ctl(descriptor.rawValue, operation, target.rawValue, &event)
        }
        _ = try check(result, "watch", target.name)
    }
}
