public import LinuxSystem
public import Transport

/// The network of this host, plain or protected with TLS 1.3.
///
/// With credentials every connection is protected, and may go to and come from any host; without,
/// it is `HostNetwork`.
public struct MigrationNetwork: Network {
    private let host: HostNetwork
    private let protection: Protection?
    private let report: @Sendable (TransportError) -> Void

    /// How connections are protected.
    public struct Protection: Sendable {
        /// What this end shows and trusts.
        let credentials: TLSCredentials
        /// Whom a destination lets in.
        let clients: ClientNames

        /// What this end shows and trusts, and whom it lets in when it is a destination.
        public init(_ credentials: TLSCredentials, clients: ClientNames = .ownAddress) {
            self.credentials = credentials
            self.clients = clients
        }
    }

    /// A network as the user of this VMM allows it to be used.
    ///
    /// - Parameters:
    ///   - allowsPlainTCP: whether plain TCP to and from other hosts is allowed.
    ///   - protection: nil for plain connections.
    ///   - report: hears of connections that were given up before anybody accepted them.
    public init(
        allowsPlainTCP: Bool, protection: Protection? = nil,
        report: @escaping @Sendable (TransportError) -> Void = { _ in }
    ) {
        host = HostNetwork(allowsPlainTCP: allowsPlainTCP || protection != nil)
        self.protection = protection
        self.report = report
    }

    /// The monotonic clock.
    public var now: MonotonicInstant { host.now }

    /// Waits on the calling thread.
    public func sleep(until end: MonotonicInstant, unless cancellation: Cancellation?) {
        host.sleep(until: end, unless: cancellation)
    }

    /// Waits on the calling thread.
    public func wait(
        on event: borrowing EventDescriptor, until end: MonotonicInstant,
        for condition: @escaping @Sendable () -> Bool
    ) -> Bool {
        host.wait(on: event, until: end, for: condition)
    }

    /// Connects, and protects the connection: the server's certificate must be for the URL's host.
    public func connect(
        to url: MigrationURL, within limits: OperationLimits
    ) throws(TransportError) -> HostConnection {
        guard let protection else {
            return HostConnection(try host.connect(to: url, within: limits))
        }
        guard case .tcp(let name, _) = url else { throw .tls(.needsTCP("\(url)")) }
        let channel = try TLSChannel(
            try host.connectSocket(to: url, within: limits), peer: "\(url)",
            credentials: protection.credentials, serverName: name)
        do throws(TransportError) {
            try channel.handshake(within: limits) { names in
                guard !names.match(host: name) else { return .passed }
                return .failed(
                    .wrongName(peer: "\(url)", expected: "'\(name)'", found: names.all))
            }
        } catch {
            channel.close(.orderly)
            throw error
        }
        return HostConnection(channel)
    }

    /// Listens; with TLS, connections are accepted once they are protected.
    public func listen(on url: MigrationURL) throws(TransportError) -> HostListener {
        let listener = try host.listen(on: url)
        guard let protection else { return HostListener(listener) }
        guard case .tcp = url else {
            listener.close()
            throw .tls(.needsTCP("\(url)"))
        }
        do throws(SystemError) {
            return HostListener(try ProtectedListener(listener, protection, host, report))
        } catch {
            listener.close()
            throw .unreachable(url, error)
        }
    }

    /// Starts a thread which goes away by itself.
    public func spawn(
        _ kind: ThreadKind, _ name: String, _ body: @escaping @Sendable () -> Void
    ) throws(SystemError) {
        try host.spawn(kind, name, body)
    }
}

/// Waits for connections, plain or protected.
public final class HostListener: ConnectionListener {
    private let listener: Kind

    private enum Kind: Sendable {
        case plain(SocketListener)
        case protected(ProtectedListener)
    }

    init(_ listener: SocketListener) {
        self.listener = .plain(listener)
    }

    init(_ listener: ProtectedListener) {
        self.listener = .protected(listener)
    }

    /// Where it listens.
    public var url: MigrationURL {
        switch listener {
        case .plain(let listener): listener.url
        case .protected(let listener): listener.url
        }
    }

    /// Waits for the next connection.
    public func accept(within limits: OperationLimits) throws(TransportError) -> HostConnection {
        switch listener {
        case .plain(let listener): HostConnection(try listener.accept(within: limits))
        case .protected(let listener): HostConnection(try listener.accept(within: limits))
        }
    }

    /// Ends listening.
    public func close() {
        switch listener {
        case .plain(let listener): listener.close()
        case .protected(let listener): listener.close()
        }
    }
}
