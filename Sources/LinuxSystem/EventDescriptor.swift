internal import CLinux
import Glibc

/// A counter that wakes whoever waits for it (eventfd): doorbells, interrupts, requests to stop.
public struct EventDescriptor: ~Copyable, Sendable {
    /// For pollers, for KVM, and for passing. Does not wait.
    public let descriptor: OwnedDescriptor

    /// A counter at 0.
    public init(name: String) throws(SystemError) {
        let object = "event \(name)"
        descriptor = OwnedDescriptor(
            owning: try check(clinux_eventfd(), "create", object), name: object)
    }

    /// Takes over an eventfd, such as one received from another process. It is made not to wait,
    /// for all who share it, unless it is so already: `drain` must not hang on a foreign one.
    public init(adopting descriptor: consuming OwnedDescriptor) throws(SystemError) {
        try descriptor.setNonblocking(true)
        self.descriptor = descriptor
    }

    /// Adds 1 and wakes the waiters. Never waits; a counter at its limit is as awake as can be.
    public func signal() {
        var one: UInt64 = 1
        // SAFETY: the kernel reads 8 bytes of the local.
        _ = retrying { unsafe write(descriptor.rawValue, &one, 8) }
    }

    /// Sets the counter to 0.
    /// - Returns: What it was.
    @discardableResult
    public func drain() -> UInt64 {
        var count: UInt64 = 0
        // SAFETY: the kernel writes 8 bytes to the local, or none.
        _ = retrying { unsafe read(descriptor.rawValue, &count, 8) }
        return count
    }

    /// Waits until the counter is not 0, and leaves it so.
    /// - Throws: `.timedOut` when the deadline comes first.
    public func wait(deadline: MonotonicInstant? = nil) throws(SystemError) {
        try descriptor.wait(for: .readable, deadline: deadline)
    }
}
