internal import CLinux
import Glibc

/// A connection over TCP or a UNIX socket. Its calls wait with poll, not by the socket's flags,
/// so that sharing the socket with another process changes nothing for either.
public struct StreamSocket: ~Copyable, Sendable {
    /// For pollers and for passing.
    public let descriptor: OwnedDescriptor

    /// Takes over a connected socket.
    public init(adopting descriptor: consuming OwnedDescriptor) {
        self.descriptor = descriptor
    }

    /// Two sockets of this process which are connected with each other.
    public static func pair(name: String) throws(SystemError) -> StreamSocketPair {
        var numbers: [2 of Int32] = [-1, -1]
        // SAFETY: the kernel writes two numbers to the local array.
        var span = numbers.mutableSpan
        let result = unsafe span.withUnsafeMutableBufferPointer {
            unsafe socketpair(AF_UNIX, CLINUX_STREAM_SOCKET, 0, $0.baseAddress)
        }
        guard result == 0 else { throw SystemError("create", "socket pair \(name)", .last) }
        return StreamSocketPair(
            first: StreamSocket(adopting: OwnedDescriptor(owning: numbers[0], name: name)),
            second: StreamSocket(adopting: OwnedDescriptor(owning: numbers[1], name: name)))
    }

    /// Connects to a UNIX socket.
    /// - Throws: `.timedOut` at the deadline, `.connectionRefused` when nobody listens.
    public static func connect(
        path: String, deadline: MonotonicInstant? = nil
    ) throws(SystemError) -> StreamSocket {
        let name = "socket \(path)"
        var address = sockaddr_un()
        // SAFETY: the path is a terminated string for the length of the call.
        let length = try check(unsafe clinux_unix_address(&address, path), "use", name)
        // Unlike TCP, connecting to a busy listener cannot be waited for with poll, but it honours
        // the socket's own limit, and can be repeated when it is interrupted.
        let descriptor = try newSocket(AF_UNIX, name, nonblocking: false)
        if let deadline { try descriptor.setSendLimit(deadline.remaining) }
        // SAFETY: the address is `length` bytes and starts as every socket address does.
        let result = unsafe withUnsafePointer(to: address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                retrying { unsafe Glibc.connect(descriptor.rawValue, address, socklen_t(length)) }
            }
        }
        let isLate = result == -Errno.wouldBlock.rawValue
        _ = try check(isLate ? -Errno.timedOut.rawValue : result, "connect to", name)
        return StreamSocket(adopting: descriptor)
    }

    /// Connects over TCP to the first of `addresses` that answers, and sets the options that every
    /// connection has (`setConnectionOptions`).
    /// - Throws: The last address's error; `.timedOut` at the deadline, which is for all of them.
    public static func connect(
        to addresses: [SocketAddress], deadline: MonotonicInstant? = nil
    ) throws(SystemError) -> StreamSocket {
        var failure = SystemError("connect to", "no address", .noSuchAddress)
        for address in addresses {
            do throws(SystemError) {
                let name = "\(address)"
                let descriptor = try newSocket(Int32(address.storage.ss_family), name)
                let result = unsafe address.withAddress {
                    unsafe start(descriptor.rawValue, $0, $1)
                }
                try finish(descriptor, result, deadline)
                let socket = StreamSocket(adopting: descriptor)
                try socket.setConnectionOptions()
                return socket
            } catch {
                failure = error
            }
        }
        throw failure
    }

    /// Ends the directions given; the other end reads an end of stream, or gets an error when it
    /// writes. Wakes every call that waits on the socket, in all processes that share it.
    public func shutdown(_ direction: Direction = .both) {
        _ = Glibc.shutdown(descriptor.rawValue, direction.number)
    }

    /// The directions of a connection.
    public enum Direction: Sendable {
        /// Nothing more is read.
        case receiving
        /// Nothing more is written.
        case sending
        /// Both.
        case both

        fileprivate var number: Int32 {
            switch self {
            case .receiving: Int32(SHUT_RD)
            case .sending: Int32(SHUT_WR)
            case .both: Int32(SHUT_RDWR)
            }
        }
    }

    /// Calls connect on a socket that does not wait. 0, or `-errno`.
    private static func start(
        _ number: Int32, _ address: UnsafePointer<sockaddr>, _ length: socklen_t
    ) -> Int32 {
        // An interrupted connect goes on by itself: it must not be repeated.
        // SAFETY: the caller's address of `length` bytes.
        guard unsafe Glibc.connect(number, address, length) != 0 else { return 0 }
        return errno == EINTR ? -EINPROGRESS : -errno
    }

    /// Waits for a connect that was started, and gives the socket ordinary flags.
    private static func finish(
        _ descriptor: borrowing OwnedDescriptor, _ result: Int32, _ deadline: MonotonicInstant?
    ) throws(SystemError) {
        if result == -EINPROGRESS {
            do throws(SystemError) {
                try descriptor.wait(for: .writable, deadline: deadline)
            } catch {
                throw SystemError("connect to", descriptor.name, error.errno)
            }
            let reason = try descriptor.socketOption(SOL_SOCKET, SO_ERROR)
            _ = try check(-reason, "connect to", descriptor.name)
        } else {
            _ = try check(result, "connect to", descriptor.name)
        }
        try descriptor.setNonblocking(false)
    }
}

/// Both ends of a connection within one process.
public struct StreamSocketPair: ~Copyable, Sendable {
    /// One end.
    public let first: StreamSocket
    /// The other end.
    public let second: StreamSocket
}

/// A socket for streams.
/// - Parameter nonblocking: Its calls do not wait.
func newSocket(
    _ family: Int32, _ name: String, nonblocking: Bool = true
) throws(SystemError) -> OwnedDescriptor {
    let type = nonblocking ? CLINUX_STREAM_SOCKET_NONBLOCKING : CLINUX_STREAM_SOCKET
    let number = socket(family, type, 0)
    guard number >= 0 else { throw SystemError("create a socket for", name, .last) }
    return OwnedDescriptor(owning: number, name: name)
}
