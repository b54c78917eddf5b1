internal import CLinux
import Glibc

/// Waits for connections on a UNIX or TCP address. A UNIX path is the listener's own while it
/// lives: a lock beside it says so, and both are removed at the end.
public struct StreamListener: ~Copyable, Sendable {
    /// For pollers: readable when somebody has connected. Does not wait.
    public let descriptor: OwnedDescriptor
    private let path: String?
    private let lock: FileLock?

    /// Listens on a UNIX socket that only this user can connect to (mode 0600). A socket that a
    /// dead process has left there is replaced.
    /// - Throws: `.addressInUse` when another process listens there, or when the path is
    ///   something else than a socket.
    public init(path: String) throws(SystemError) {
        let name = "socket \(path)"
        let lock = try StreamListener.lock(path)
        try StreamListener.removeStale(path)
        var address = sockaddr_un()
        // SAFETY: the path is a terminated string for the length of the call.
        let length = try check(unsafe clinux_unix_address(&address, path), "use", name)
        let descriptor = try newSocket(AF_UNIX, name)
        // The mode of the socket itself decides who may connect, from the moment it exists.
        _ = try check(retrying { fchmod(descriptor.rawValue, 0o600) }, "protect", name)
        // SAFETY: the address is `length` bytes and starts as every socket address does.
        let result = unsafe withUnsafePointer(to: address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                retrying { unsafe bind(descriptor.rawValue, pointer, socklen_t(length)) }
            }
        }
        _ = try check(result, "create", name)
        _ = try check(
            retrying { listen(descriptor.rawValue, backlogLength) }, "listen on", name)
        self.init(descriptor: descriptor, path: path, lock: lock)
    }

    /// Listens on the first of the addresses that can be listened on.
    public init(addresses: [SocketAddress]) throws(SystemError) {
        var failure = SystemError("listen on", "no address", .noSuchAddress)
        for address in addresses {
            do throws(SystemError) {
                let descriptor = try StreamListener.bound(to: address)
                self.init(descriptor: descriptor, path: nil, lock: nil)
                return
            } catch {
                failure = error
            }
        }
        throw failure
    }

    /// Takes over a listening socket that another process has made; its path, if any, is not
    /// removed.
    /// - Throws: `.invalidArgument` for anything that is not a listening stream socket.
    public init(adopting descriptor: consuming OwnedDescriptor) throws(SystemError) {
        let listens = try descriptor.socketOption(SOL_SOCKET, SO_ACCEPTCONN) != 0
        let kind = try descriptor.socketOption(SOL_SOCKET, SO_TYPE)
        guard listens, kind == Int32(SOCK_STREAM.rawValue) else {
            throw SystemError(
                "listen on", descriptor.name, .invalidArgument,
                advice: "the descriptor must be a stream socket that listens")
        }
        // Accepting waits with poll. The flag is shared with whoever made the socket, who gave it
        // away for being accepted on.
        try descriptor.setNonblocking(true)
        self.init(descriptor: descriptor, path: nil, lock: nil)
    }

    private init(
        descriptor: consuming OwnedDescriptor, path: String?, lock: consuming FileLock?
    ) {
        self.descriptor = descriptor
        self.path = path
        self.lock = lock
    }

    deinit {
        if let path {
            // SAFETY: the paths are terminated strings for the length of the calls. The lock is
            // still held.
            _ = unsafe unlink(path)
            _ = unsafe unlink("\(path).lock")
        }
    }

    /// The TCP address, with the port that the kernel chose if 0 was asked for.
    public var address: SocketAddress {
        get throws(SystemError) {
            try unsafe SocketAddress(of: descriptor) { unsafe getsockname($0, $1, $2) }
        }
    }

    /// Waits for a connection. A TCP connection gets the options that every one has.
    /// - Throws: `.timedOut` when the deadline comes first; with a deadline of now this is the way
    ///   to take what a poller has reported.
    public func accept(deadline: MonotonicInstant? = nil) throws(SystemError) -> StreamSocket {
        while true {
            let result = accepted()
            if result >= 0 {
                let socket = StreamSocket(
                    adopting: OwnedDescriptor(
                        owning: result, name: "connection on \(descriptor.name)"))
                if try socket.descriptor.socketOption(SOL_SOCKET, SO_DOMAIN) != AF_UNIX {
                    try socket.setConnectionOptions()
                }
                return socket
            }
            switch -result {
            case ECONNABORTED, EPROTO: continue  // gone before it was accepted
            case EAGAIN: try waitForConnection(deadline)
            default: _ = try check(result, "accept a connection on", descriptor.name)
            }
        }
    }

    private func waitForConnection(_ deadline: MonotonicInstant?) throws(SystemError) {
        let readiness = try descriptor.wait(
            forAny: .readable, deadline: deadline ?? .distantFuture)
        guard !readiness.isEmpty else {
            throw SystemError("wait for", descriptor.name, .timedOut)
        }
        // A UNIX listener that has stopped says "try again" for ever; only polling tells.
        guard !readiness.contains(.hungUp) else {
            throw SystemError("accept a connection on", descriptor.name, .invalidArgument)
        }
    }

    private func accepted() -> Int32 {
        retryingShim { clinux_accept(descriptor.rawValue) }
    }

    private static func bound(to address: SocketAddress) throws(SystemError) -> OwnedDescriptor {
        let name = "\(address)"
        let descriptor = try newSocket(Int32(address.storage.ss_family), name)
        try descriptor.setSocketOption(SOL_SOCKET, SO_REUSEADDR, 1)
        let result = unsafe address.withAddress { pointer, length in
            retrying { unsafe bind(descriptor.rawValue, pointer, length) }
        }
        _ = try check(result, "listen on", name)
        _ = try check(
            retrying { listen(descriptor.rawValue, backlogLength) }, "listen on", name)
        return descriptor
    }

    /// The lock beside the path, which says that the path is ours. Its holder removes the file at
    /// the end; whoever opened it before that and got the lock after it finds another file at the
    /// path, or none, and begins again.
    private static func lock(_ path: String) throws(SystemError) -> FileLock {
        while true {
            let file = try OwnedDescriptor(opening: "\(path).lock", [.write, .create])
            let lock: FileLock
            do throws(SystemError) {
                lock = try FileLock(locking: file.duplicate(), .exclusive)
            } catch {
                guard error.errno == .wouldBlock else { throw error }
                throw SystemError(
                    "listen on", "socket \(path)", .addressInUse,
                    advice: "another process listens there; stop it or choose another path")
            }
            let present = try? OwnedDescriptor(opening: "\(path).lock").identity
            if let present, present == (try file.identity) { return lock }
        }
    }

    /// Removes what a dead process has left, if it is a socket. The lock is held.
    private static func removeStale(_ path: String) throws(SystemError) {
        var information = stat()
        // SAFETY: the path is a terminated string and the kernel fills the local.
        guard unsafe lstat(path, &information) == 0 else { return }
        guard information.st_mode & S_IFMT == S_IFSOCK else {
            throw SystemError(
                "listen on", "socket \(path)", .addressInUse, advice: "the path is not a socket")
        }
        // SAFETY: as above.
        _ = try check(retrying { unsafe unlink(path) }, "remove the stale", "socket \(path)")
    }
}

/// How many connections wait to be accepted.
private let backlogLength: Int32 = 16
