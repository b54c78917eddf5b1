internal import CLinux
import Glibc

/// Another process, known by a descriptor that never refers to a later process of the same number
/// (pidfd).
public struct ProcessDescriptor: ~Copyable, Sendable {
    /// The number of this process.
    public static var currentProcess: Int32 { getpid() }

    /// For pollers: readable when the process has ended.
    public let descriptor: OwnedDescriptor

    /// The process of this number.
    public init(process number: Int32) throws(SystemError) {
        let object = "process \(number)"
        descriptor = OwnedDescriptor(
            owning: try check(clinux_pidfd_open(number), "watch", object), name: object)
    }

    /// The process at the other end of a UNIX socket when it connected.
    public init(peerOf socket: borrowing StreamSocket) throws(SystemError) {
        try self.init(process: try socket.peerProcess)
    }

    /// Whether the process has ended.
    public var hasEnded: Bool {
        get throws(SystemError) {
            do throws(SystemError) {
                try descriptor.wait(for: .readable, deadline: .now)
                return true
            } catch {
                guard error.errno == .timedOut else { throw error }
                return false
            }
        }
    }

    /// Sends a signal, such as SIGTERM.
    public func send(signal: Int32) throws(SystemError) {
        _ = try check(
            clinux_pidfd_send_signal(descriptor.rawValue, signal), "send signal \(signal) to",
            descriptor.name)
    }
}

extension StreamSocket {
    /// The number of the process at the other end of a UNIX socket when it connected.
    public var peerProcess: Int32 {
        get throws(SystemError) {
            // pid, uid and gid of `struct ucred`.
            var credentials: [3 of Int32] = [0, 0, 0]
            var length = socklen_t(MemoryLayout<[3 of Int32]>.size)
            // SAFETY: the kernel writes at most `length` bytes to the local.
            let result = unsafe getsockopt(
                descriptor.rawValue, SOL_SOCKET, SO_PEERCRED, &credentials, &length)
            _ = try check(result == 0 ? 0 : -errno, "find the peer of", descriptor.name)
            guard credentials[0] > 0 else {
                throw SystemError("find the peer of", descriptor.name, .notSupported)
            }
            return credentials[0]
        }
    }
}
