internal import CLinux
import Glibc

/// A set of network interfaces of its own, which lives as long as a descriptor or a thread is in it.
///
/// Only threads are in namespaces: entering moves the calling thread, and every thread that it
/// starts afterwards. Call it on threads made for that (`WorkerThread`), never on one of a pool.
public struct NetworkNamespace: ~Copyable, Sendable {
    private let descriptor: OwnedDescriptor

    /// The namespace of the calling thread.
    public static func current() throws(SystemError) -> NetworkNamespace {
        NetworkNamespace(
            descriptor: try OwnedDescriptor(opening: "/proc/thread-self/ns/net"))
    }

    /// Makes an empty namespace and moves the calling thread into it.
    public static func enterNew() throws(SystemError) -> NetworkNamespace {
        let result = clinux_unshare_network()
        guard result >= 0 else {
            let reason = Errno(rawValue: -result)
            throw SystemError(
                "create", "a network namespace", reason,
                advice: reason == .notPermitted ? "CAP_SYS_ADMIN is needed" : nil)
        }
        return try current()
    }

    /// Moves the calling thread into this namespace.
    public func enter() throws(SystemError) {
        _ = try check(
            clinux_enter_network(descriptor.rawValue), "enter", "a network namespace")
    }
}
