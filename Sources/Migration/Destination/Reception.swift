import LinuxSystem
import Logging
import MigrationProtocol
import Synchronization
import Transport

/// The door of a destination: finds out what each connection is for, hands the main one to the
/// migration's thread, serves memory connections and answers sources in doubt, for as long as the
/// listener is open.
///
/// One thread accepts. Every connection then has a thread of its own, so that one which says
/// nothing keeps no other waiting.
final class Reception<Outside: Network>: Sendable {
    private enum Source: Sendable {
        /// None came yet.
        case awaited
        /// One came.
        case there(Outside.Connection, Request)
        /// The migration's thread has it, or waits no more. Others are refused.
        case settled
        /// None will come: nobody listens any more.
        case missed(MigrationError)
    }

    private struct State {
        var source = Source.awaited
        var visitorCount = 0
    }

    private let network: Outside
    private let listener: Outside.Listener
    private let control: IncomingControl
    private let memoryConnections: MemoryConnections<Outside>
    private let logger: Logger
    private let arrival: EventDescriptor
    private let state = Mutex(State())

    /// How long a new connection may take to say what it is for, in seconds.
    private static var introductionSeconds: Int { 5 }

    /// Connections at a time, so that strangers cannot take all threads: what one migration needs,
    /// and as many again that are of no use.
    private static var visitorLimit: Int { 2 * (Limits.memoryConnections + 1) }

    /// How long an inquiry waits for the migration's thread to let go, in nanoseconds: 10 s.
    private static var settlingNanoseconds: UInt64 { 10_000_000_000 }

    /// Opens the door.
    init(
        network: Outside, listener: Outside.Listener, control: IncomingControl,
        memoryConnections: MemoryConnections<Outside>, logger: Logger
    ) throws(MigrationError) {
        self.network = network
        self.listener = listener
        self.control = control
        self.memoryConnections = memoryConnections
        self.logger = logger
        do throws(SystemError) {
            arrival = try EventDescriptor(name: "arrival of a source")
            try network.spawn(.acceptor, "migrations") { [self] in acceptAll() }
        } catch {
            throw .unsupported("Nobody can be received: \(error)")
        }
    }

    /// Waits for a main connection, until there is one or the migration is cancelled.
    func awaitSource() throws(MigrationError) -> MessageChannel<Outside.Connection> {
        _ = network.wait(on: arrival, until: .distantFuture) { [self] in
            state.withLock { state in
                if case .awaited = state.source { false } else { true }
            }
        }
        let source = state.withLock { state in
            defer { state.source = .settled }
            return state.source
        }
        switch source {
        case .there(let connection, let request):
            return MessageChannel(connection, firstRequest: request)
        case .missed(let error):
            throw error
        case .awaited, .settled:
            throw MigrationError(TransportError.notListening(listener.url))
        }
    }

    // MARK: - On the door's thread

    private func acceptAll() {
        do throws(TransportError) {
            try acceptAll(within: OperationLimits(cancellation: control.cancellation))
        } catch {
            settle(.missed(MigrationError(error)))
        }
        // Cancelled or not, sources of earlier migrations may be in doubt.
        do throws(TransportError) {
            try acceptAll(within: OperationLimits())
        } catch {
            logger.debug("the door is closed: \(error)")
        }
    }

    private func acceptAll(within limits: OperationLimits) throws(TransportError) {
        while true {
            let connection = try listener.accept(within: limits)
            guard enter() else {
                logger.warning("\(connection.peer) is one connection too many")
                connection.close(.abrupt)
                continue
            }
            do throws(SystemError) {
                try network.spawn(.receiver, "visitor") { [self] in
                    receive(connection)
                    leave()
                }
            } catch {
                logger.warning("no thread for the connection from \(connection.peer): \(error)")
                connection.close(.abrupt)
                leave()
            }
        }
    }

    private func enter() -> Bool {
        state.withLock { state in
            guard state.visitorCount < Self.visitorLimit else { return false }
            state.visitorCount += 1
            return true
        }
    }

    private func leave() {
        state.withLock { $0.visitorCount -= 1 }
    }

    /// Notes what became of the wait for a source, unless that is known already.
    ///
    /// - Returns: whether this was news.
    @discardableResult
    private func settle(_ source: Source) -> Bool {
        let isNews = state.withLock { state in
            guard case .awaited = state.source else { return false }
            state.source = source
            return true
        }
        if isNews { arrival.signal() }
        return isNews
    }

    // MARK: - On the threads of connections

    /// Reads what a connection is for, and deals with it.
    private func receive(_ connection: Outside.Connection) {
        let limits = OperationLimits(idleSeconds: Self.introductionSeconds)
        do {
            var first: [UInt8] = []
            try connection.receive(ConnectionRole.byteCount, into: &first, within: limits)
            if let reason = connection.refusal {
                return try turnAway(connection, first, because: reason, within: limits)
            }
            switch try? ConnectionRole(decoding: first.span) {
            case .memory:
                // The code of Start is the same. Only a base-protocol source, once configured,
                // makes memory connections of this kind, and no other source can be served then.
                guard control.withDecision({ $0.admitsMemoryConnection(showing: nil) }) else {
                    return try receiveSource(connection, first, within: limits)
                }
                try serveMemory(on: connection, showing: nil)
            case .boundMemory:
                let token = try receiveToken(from: connection, within: limits)
                try serveMemory(on: connection, showing: token)
            case .inquiry: try answerInquiry(on: connection, within: limits)
            case nil where TLSError.isHandshake(first):
                logger.warning("\(TLSError.offeredByPeer(peer: connection.peer))")
            case .fault, nil:
                logger.warning("a connection from \(connection.peer) is none of a migration")
            }
        } catch TransportError.tls(let error) {
            logger.warning("a connection was given up: \(error)")
        } catch {
            logger.debug("the connection from \(connection.peer) ended: \(error)")
        }
        connection.close(.orderly)
    }

    private func receiveSource(
        _ connection: Outside.Connection, _ first: [UInt8], within limits: OperationLimits
    ) throws {
        let request = try request(beginning: first, on: connection, within: limits)
        guard !settle(.there(connection, request)) else { return }
        let answer = DestinationProtocol.refusal(
            of: request, because: "another migration uses this destination")
        try connection.send(answer.encoded, within: limits)
        connection.close(.orderly)
    }

    private func receiveToken(
        from connection: Outside.Connection, within limits: OperationLimits
    ) throws -> SessionToken {
        var bytes: [UInt8] = []
        try connection.receive(SessionToken.byteCount, into: &bytes, within: limits)
        return try SessionToken(decoding: bytes.span)
    }

    private func serveMemory(
        on connection: Outside.Connection, showing token: SessionToken?
    ) throws {
        let channel = MessageChannel(connection)
        guard control.withDecision({ $0.admitsMemoryConnection(showing: token) }) else {
            logger.warning("a memory connection from \(connection.peer) belongs to no migration")
            let answer = Answer.error(
                "this connection belongs to no migration that is under way here",
                extensions: .errorText)
            return try channel.send(answer, within: OperationLimits(idleSeconds: 1))
        }
        do throws(MigrationError) {
            try memoryConnections.serve(
                channel, isBound: token != nil,
                within: OperationLimits(cancellation: control.cancellation))
        } catch {
            logger.warning("memory from \(connection.peer): \(error)")
        }
    }

    private func request(
        beginning first: [UInt8], on connection: Outside.Connection,
        within limits: OperationLimits
    ) throws -> Request {
        var rest: [UInt8] = []
        try connection.receive(Request.byteCount - first.count, into: &rest, within: limits)
        return try Request(decoding: (first + rest).span)
    }

    /// Tells a source why it may not come in; whatever else comes with such a certificate gets
    /// no answer.
    private func turnAway(
        _ connection: Outside.Connection, _ first: [UInt8], because reason: String,
        within limits: OperationLimits
    ) throws {
        logger.warning("a connection was turned away: \(reason)")
        guard first == Self.startCode else { return connection.close(.orderly) }
        let request = try request(beginning: first, on: connection, within: limits)
        let answer = DestinationProtocol.refusal(of: request, because: reason)
        try connection.send(answer.encoded, within: limits)
        connection.close(.orderly)
    }

    private static var startCode: [UInt8] { [UInt8](Request(.start).encoded.prefix(2)) }

    private func answerInquiry(
        on connection: Outside.Connection, within limits: OperationLimits
    ) throws {
        let token = try receiveToken(from: connection, within: limits)
        var answer: InquiryAnswer
        switch control.inquire(token, at: network.now) {
        case .answer(let known): answer = known
        case .discardAndAnswer(let decided): answer = decided
        }
        // "Returned" means that nothing is bound here any more.
        if case .returned = answer, !waitUntilSettled() { answer = .unknown }
        logger.notice("a source inquired after its guest; the answer is \(answer)")
        try connection.send(answer.answer.encoded, within: limits)
    }

    private func waitUntilSettled() -> Bool {
        let end = network.now.advanced(byNanoseconds: Self.settlingNanoseconds)
        while !control.isSettled {
            guard network.now < end else { return false }
            network.sleep(
                until: network.now.advanced(byNanoseconds: 5_000_000), unless: nil)
        }
        return true
    }
}
