package import LinuxSystem
import Synchronization

/// Waits for connections on a UNIX path or a TCP address.
///
/// A UNIX path belongs to one listener at a time, guarded by a lock beside it; a path that a dead
/// process left is replaced, and the path is removed when the listener closes.
public final class SocketListener: ConnectionListener {
    /// Where it listens.
    public let url: MigrationURL

    /// Nil once it is closed.
    private let listener: Mutex<StreamListener?>

    /// A second descriptor of the same socket, which stays valid for a wait while another thread
    /// closes the listener.
    private let waiting: OwnedDescriptor

    /// Listens at a URL.
    ///
    /// - Parameter allowsPlainTCP: whether addresses beyond loopback may be used.
    public init(_ url: MigrationURL, allowsPlainTCP: Bool) throws(TransportError) {
        let addresses = try url.addresses(listening: true, allowsPlainTCP)
        do throws(SystemError) {
            switch url {
            case .unix(let path):
                let listener = try StreamListener(path: path)
                waiting = try listener.descriptor.duplicate()
                self.listener = Mutex(listener)
                self.url = url
            case .tcp(let host, _):
                let listener = try StreamListener(addresses: addresses)
                waiting = try listener.descriptor.duplicate()
                self.url = .tcp(host: host, port: try listener.address.port)
                self.listener = Mutex(listener)
            }
        } catch {
            throw .unreachable(url, error)
        }
    }

    /// Waits for the next connection.
    public func accept(within limits: OperationLimits) throws(TransportError) -> SocketChannel {
        let accepted = try acceptSocket(within: limits)
        let peer = accepted.address.map { "\($0)" } ?? "the peer on \(url)"
        return SocketChannel(accepted.taken(), peer: peer)
    }

    /// Waits for the next connection, for a channel to be made of the socket.
    package func acceptSocket(
        within limits: OperationLimits
    ) throws(TransportError) -> AcceptedSocket {
        while true {
            if let request = limits.cancellation?.request {
                throw .cancelled(reason: request.reason)
            }
            if let deadline = limits.deadline, deadline.hasPassed {
                throw .deadlinePassed(peer: "\(url)")
            }
            do throws(SystemError) {
                _ = try wait(within: limits)
                if let accepted = try acceptWaiting() { return accepted }
            } catch {
                if listener.withLock({ $0 == nil }) { throw .notListening(url) }
                throw .unreachable(url, error)
            }
        }
    }

    /// Ends listening.
    public func close() {
        listener.withLock { listener in
            listener?.stopListening()
            listener = nil
        }
    }

    private func wait(within limits: OperationLimits) throws(SystemError) -> Readiness {
        let deadline = limits.deadline ?? .distantFuture
        guard let cancellation = limits.cancellation else {
            return try waiting.wait(forAny: .readable, deadline: deadline)
        }
        return try waiting.wait(forAny: .readable, unless: cancellation.event, deadline: deadline)
    }

    /// Takes a connection that is there; nil when there is none after all.
    private func acceptWaiting() throws(SystemError) -> AcceptedSocket? {
        let socket = try listener.withLock { listener throws(SystemError) -> StreamSocket? in
            guard listener != nil else { throw SystemError("accept on", "\(url)", .noSuchFile) }
            do throws(SystemError) {
                return try listener?.accept(deadline: .now)
            } catch {
                if error.errno == .timedOut { return nil }
                throw error
            }
        }
        // Whoever has gone again has no address any more.
        guard let socket, let peer = try? socket.peer else { return nil }
        switch peer {
        case .local: return AcceptedSocket(socket: socket, address: nil)
        case .network(let address): return AcceptedSocket(socket: socket, address: address)
        }
    }
}

/// A connection that arrived.
package struct AcceptedSocket: ~Copyable {
    /// The connection.
    package let socket: StreamSocket
    /// Where it comes from; nil over a UNIX socket.
    package let address: SocketAddress?

    /// The connection, without the rest.
    package consuming func taken() -> StreamSocket { socket }
}
