internal import CLinux
import Glibc

extension OwnedDescriptor {
    /// An option of a socket that is one integer.
    func socketOption(_ level: Int32, _ option: Int32) throws(SystemError) -> Int32 {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        // SAFETY: the kernel writes at most `length` bytes to the local.
        let result = unsafe getsockopt(rawValue, level, option, &value, &length)
        guard result == 0 else { throw SystemError("query", name, .last) }
        return value
    }

    /// Sets an option of a socket that is one integer.
    func setSocketOption(_ level: Int32, _ option: Int32, _ value: Int32) throws(SystemError) {
        var value = value
        // SAFETY: the kernel reads 4 bytes of the local.
        let result = unsafe setsockopt(
            rawValue, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
        guard result == 0 else { throw SystemError("set an option of", name, .last) }
    }

    /// Limits how long connecting to a UNIX socket waits. Later calls do not wait at all.
    func setSendLimit(_ time: timespec) throws(SystemError) {
        // A limit of 0 would mean none.
        var limit = timeval(tv_sec: time.tv_sec, tv_usec: max(1, time.tv_nsec / 1000))
        // SAFETY: the kernel reads the local.
        let result = unsafe setsockopt(
            rawValue, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        guard result == 0 else { throw SystemError("set an option of", name, .last) }
    }
}

extension StreamSocket {
    /// How a TCP connection notices that its peer is gone: 60 s of silence, then 4 questions 15 s
    /// apart; the same 2 minutes for data that is not acknowledged.
    enum Liveness {
        static let idleSeconds: Int32 = 60
        static let intervalSeconds: Int32 = 15
        static let probes: Int32 = 4
        static let unacknowledgedMilliseconds = (idleSeconds + intervalSeconds * probes) * 1000
    }

    /// Sets what every TCP connection has: no delay for small messages, and liveness.
    public func setConnectionOptions() throws(SystemError) {
        let tcp = Int32(IPPROTO_TCP)
        try descriptor.setSocketOption(tcp, TCP_NODELAY, 1)
        try descriptor.setSocketOption(SOL_SOCKET, SO_KEEPALIVE, 1)
        try descriptor.setSocketOption(tcp, TCP_KEEPIDLE, Liveness.idleSeconds)
        try descriptor.setSocketOption(tcp, TCP_KEEPINTVL, Liveness.intervalSeconds)
        try descriptor.setSocketOption(tcp, TCP_KEEPCNT, Liveness.probes)
        try descriptor.setSocketOption(
            tcp, TCP_USER_TIMEOUT, Liveness.unacknowledgedMilliseconds)
    }

    /// Asks for buffers of about `bytes` in both directions; the kernel's limits apply.
    public func setBufferSize(_ bytes: Int) throws(SystemError) {
        let value = Int32(clamping: bytes)
        try descriptor.setSocketOption(SOL_SOCKET, SO_SNDBUF, value)
        try descriptor.setSocketOption(SOL_SOCKET, SO_RCVBUF, value)
    }

    /// The kind of connection, and for TCP the address of the other end.
    public var peer: Peer {
        get throws(SystemError) {
            let domain = try descriptor.socketOption(SOL_SOCKET, SO_DOMAIN)
            if domain == AF_UNIX { return .local }
            return .network(
                try unsafe SocketAddress(of: descriptor) { unsafe getpeername($0, $1, $2) })
        }
    }

    /// Bytes that were written and not yet acknowledged by the other end's kernel (TCP), or not
    /// yet read by the other end (UNIX).
    public var unsentBytes: Int {
        get throws(SystemError) {
            var count: Int32 = 0
            // SAFETY: the kernel writes an int to the local.
            _ = try check(
                unsafe clinux_ioctl_pointer(descriptor.rawValue, UInt(TIOCOUTQ), &count),
                "query", descriptor.name)
            return Int(count)
        }
    }

    /// Who is at the other end.
    public enum Peer: Sendable {
        /// A process of this machine, over a UNIX socket: descriptors can be passed.
        case local
        /// A TCP address.
        case network(SocketAddress)

        /// Whether what is sent stays on this machine.
        public var isOnThisMachine: Bool {
            switch self {
            case .local: true
            case .network(let address): address.isLoopback
            }
        }
    }
}
