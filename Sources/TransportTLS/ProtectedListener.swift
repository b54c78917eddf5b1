import LinuxSystem
import Synchronization
import Transport

/// Waits for connections and protects each on a thread of its own, so that a peer which is slow or
/// silent keeps nobody else waiting.
final class ProtectedListener: Sendable {
    /// How many connections may be on their way through the handshake, or wait to be accepted
    /// after it: as many as a migration can have, and some. Beyond that the oldest goes.
    static let capacity = 160

    /// Where it listens.
    let url: MigrationURL

    private let listener: SocketListener
    private let protection: MigrationNetwork.Protection
    private let network: HostNetwork
    private let report: @Sendable (TransportError) -> Void

    private let state = Mutex(State())
    /// Readable while there is something to accept, or the listener has ended.
    private let hasNews: EventDescriptor

    private struct State {
        var inHandshake: [TLSChannel] = []
        var ready: [TLSChannel] = []
        var isClosed = false
    }

    init(
        _ listener: SocketListener, _ protection: MigrationNetwork.Protection,
        _ network: HostNetwork, _ report: @escaping @Sendable (TransportError) -> Void
    ) throws(SystemError) {
        url = listener.url
        self.listener = listener
        self.protection = protection
        self.network = network
        self.report = report
        hasNews = try EventDescriptor(name: "protected connections")
        try network.spawn(.acceptor, "tls-accept") { self.acceptAll() }
    }

    /// Waits for the next connection that is protected.
    func accept(within limits: OperationLimits) throws(TransportError) -> TLSChannel {
        while true {
            if let request = limits.cancellation?.request {
                throw .cancelled(reason: request.reason)
            }
            if let deadline = limits.deadline, deadline.hasPassed {
                throw .deadlinePassed(peer: "\(url)")
            }
            let (channel, isClosed) = state.withLock { state in
                if state.ready.count <= 1, !state.isClosed { hasNews.drain() }
                return (state.ready.isEmpty ? nil : state.ready.removeFirst(), state.isClosed)
            }
            if let channel { return channel }
            if isClosed { throw .notListening(url) }
            do throws(SystemError) {
                try wait(within: limits)
            } catch {
                throw .unreachable(url, error)
            }
        }
    }

    private func wait(within limits: OperationLimits) throws(SystemError) {
        let deadline = limits.deadline ?? .distantFuture
        if let cancellation = limits.cancellation {
            _ = try hasNews.descriptor.wait(
                forAny: .readable, unless: cancellation.event, deadline: deadline)
        } else {
            _ = try hasNews.descriptor.wait(forAny: .readable, deadline: deadline)
        }
    }

    /// Ends listening; connections that nobody accepted are broken off.
    func close() {
        listener.close()
        end()
    }

    private func end() {
        let left = state.withLock { state in
            let left = state.inHandshake + state.ready
            state = State(isClosed: true)
            return left
        }
        hasNews.signal()
        for channel in left { channel.close(.abrupt) }
    }

    /// Takes connections as they come, until the listener ends.
    private func acceptAll() {
        while true {
            do throws(TransportError) {
                let accepted = try listener.acceptSocket(within: OperationLimits())
                let address = accepted.address
                begin(accepted.taken(), from: address)
            } catch {
                if case .notListening = error {} else { report(error) }
                return end()
            }
        }
    }

    private func begin(_ socket: consuming StreamSocket, from address: SocketAddress?) {
        let peer = address.map { "\($0)" } ?? "a peer without an address"
        do throws(TransportError) {
            let channel = try TLSChannel(
                socket, peer: peer, credentials: protection.credentials, serverName: nil)
            register(channel)
            do throws(SystemError) {
                try network.spawn(.receiver, "tls-handshake") {
                    self.protect(channel, from: address?.ipAddress)
                }
            } catch {
                drop(channel, because: .system(peer: peer, error), .abrupt)
            }
        } catch {
            report(error)
        }
    }

    private func protect(_ channel: TLSChannel, from address: IPAddress?) {
        do throws(TransportError) {
            try channel.handshake(within: OperationLimits()) { names in
                protection.clients.check(names, address: address, peer: channel.peer)
            }
        } catch {
            return drop(channel, because: error, .orderly)
        }
        let isWanted = state.withLock { state in
            guard let index = state.inHandshake.firstIndex(where: { $0 === channel }) else {
                return false
            }
            state.ready.append(state.inHandshake.remove(at: index))
            return true
        }
        if isWanted { hasNews.signal() }
    }

    private func register(_ channel: TLSChannel) {
        let oldest = state.withLock { state -> TLSChannel? in
            guard !state.isClosed else { return channel }
            state.inHandshake.append(channel)
            guard state.inHandshake.count + state.ready.count > Self.capacity else { return nil }
            return state.inHandshake.removeFirst()
        }
        oldest?.close(.abrupt)
    }

    private func drop(
        _ channel: TLSChannel, because error: TransportError, _ manner: ClosingManner
    ) {
        let isKnown = state.withLock { state in
            let count = state.inHandshake.count
            state.inHandshake.removeAll { $0 === channel }
            return state.inHandshake.count < count
        }
        // Who was broken off by this end is no news.
        if isKnown { report(error) }
        channel.close(manner)
    }
}
