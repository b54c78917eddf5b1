public import LinuxSystem
import Synchronization

/// The network, clock and threads of this host.
public struct HostNetwork: Network {
    /// How long a connection may take to be made, in seconds, for all addresses of a name.
    public static let connectSeconds = 10

    /// Whether plain TCP to and from other hosts is allowed.
    public let allowsPlainTCP: Bool

    /// The network as the user of this VMM allows it to be used.
    public init(allowsPlainTCP: Bool) {
        self.allowsPlainTCP = allowsPlainTCP
    }

    /// The monotonic clock.
    public var now: MonotonicInstant { .now }

    /// Waits on the calling thread.
    public func sleep(until end: MonotonicInstant, unless cancellation: Cancellation?) {
        do throws(SystemError) {
            if let cancellation {
                try cancellation.event.wait(deadline: end)
            } else {
                try EventDescriptor(name: "sleep").wait(deadline: end)
            }
        } catch {
            // The deadline came, which is what was waited for.
        }
    }

    /// Waits on the calling thread.
    public func wait(
        on event: borrowing EventDescriptor, until end: MonotonicInstant,
        for condition: @escaping @Sendable () -> Bool
    ) -> Bool {
        while !condition() {
            do throws(SystemError) {
                try event.wait(deadline: end)
            } catch {
                // The time is over.
                return condition()
            }
            event.drain()
        }
        return true
    }

    /// Connects over TCP or to a UNIX socket.
    public func connect(
        to url: MigrationURL, within limits: OperationLimits
    ) throws(TransportError) -> SocketChannel {
        SocketChannel(try connectSocket(to: url, within: limits), peer: "\(url)")
    }

    /// Connects, for a channel to be made of the socket.
    package func connectSocket(
        to url: MigrationURL, within limits: OperationLimits
    ) throws(TransportError) -> StreamSocket {
        if let request = limits.cancellation?.request { throw .cancelled(reason: request.reason) }
        let seconds = UInt64(min(HostNetwork.connectSeconds, limits.idleSeconds))
        let soonest = MonotonicInstant.now.advanced(byNanoseconds: seconds * 1_000_000_000)
        let deadline = min(soonest, limits.deadline ?? .distantFuture)
        let addresses = try url.addresses(listening: false, allowsPlainTCP)
        do throws(SystemError) {
            switch url {
            case .unix(let path):
                return try StreamSocket.connect(path: path, deadline: deadline)
            case .tcp:
                return try StreamSocket.connect(to: addresses, deadline: deadline)
            }
        } catch {
            throw .unreachable(url, error)
        }
    }

    /// Listens on TCP or on a UNIX socket.
    public func listen(on url: MigrationURL) throws(TransportError) -> SocketListener {
        try SocketListener(url, allowsPlainTCP: allowsPlainTCP)
    }

    /// Starts a thread which goes away by itself.
    public func spawn(
        _ kind: ThreadKind, _ name: String, _ body: @escaping @Sendable () -> Void
    ) throws(SystemError) {
        let keeper = ThreadKeeper()
        keeper.keep(
            try WorkerThread(name: name, kind: kind) { _ in
                body()
                keeper.finish()
            })
    }
}

/// Keeps a thread's owner alive until the thread itself is done with it.
private final class ThreadKeeper: Sendable {
    private struct State {
        var worker: WorkerThread?
        var isFinished = false
    }

    private let state = Mutex(State())

    func keep(_ worker: WorkerThread) {
        state.withLock { if !$0.isFinished { $0.worker = worker } }
    }

    func finish() {
        // The last reference goes on the thread itself, which then is not waited for.
        let worker = state.withLock { state in
            state.isFinished = true
            return state.worker.take()
        }
        _ = worker
    }
}

extension MigrationURL {
    /// The addresses behind a TCP URL, none behind another.
    ///
    /// - Throws: also when one lies beyond loopback and plain TCP is not allowed there.
    func addresses(
        listening: Bool, _ allowsPlainTCP: Bool
    ) throws(TransportError) -> [SocketAddress] {
        guard case .tcp(let host, let port) = self else { return [] }
        let addresses: [SocketAddress]
        do throws(SystemError) {
            let endpoint = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
            addresses = try SocketAddress.resolve(endpoint, listening: listening)
        } catch {
            throw .unreachable(self, error)
        }
        guard !allowsPlainTCP else { return addresses }
        for address in addresses where !address.isLoopback {
            throw .plainTCPRefused("\(address)")
        }
        return addresses
    }
}
