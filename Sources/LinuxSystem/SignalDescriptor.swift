internal import CLinux
import Glibc

/// The requests of the system or the user to end (SIGTERM, SIGINT), as a descriptor instead of an
/// interruption. Make it on the first thread before there are others, because each thread inherits
/// which signals it does not take.
public struct SignalDescriptor: ~Copyable, Sendable {
    /// For pollers: readable when there is a request. Does not wait.
    public let descriptor: OwnedDescriptor

    /// Takes SIGTERM and SIGINT out of their ordinary way, for the calling thread and those that
    /// it starts.
    public init() throws(SystemError) {
        let name = "signals to end"
        var signals = sigset_t()
        // SAFETY: all calls work on the local set.
        unsafe sigemptyset(&signals)
        unsafe sigaddset(&signals, SIGTERM)
        unsafe sigaddset(&signals, SIGINT)
        let reason = unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
        _ = try check(-reason, "wait for", name)
        descriptor = OwnedDescriptor(
            owning: try check(unsafe clinux_signalfd(&signals), "wait for", name), name: name)
    }

    /// The oldest request that nobody has taken: the number of the signal.
    public func next() -> Int32? {
        var information = signalfd_siginfo()
        let size = MemoryLayout<signalfd_siginfo>.size
        // SAFETY: the kernel writes one structure to the local, or none.
        let count = retrying { unsafe read(descriptor.rawValue, &information, size) }
        return count == size ? Int32(clamping: information.ssi_signo) : nil
    }
}
