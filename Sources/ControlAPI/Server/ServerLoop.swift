import LinuxSystem
import Logging

/// What the server's thread does: it waits for clients, replies and deadlines, and lets the
/// connections move on.
final class ServerLoop {
    private enum Token {
        static let listener: UInt64 = 0
        static let wake: UInt64 = 1
        static let stop: UInt64 = 2
        static let firstConnection: UInt64 = 3
    }

    private let shared: ServerShared
    private let poller: Poller
    private var connections: [UInt64: Connection] = [:]
    private var nextToken = Token.firstConnection
    /// Received bytes on their way to a parser.
    private var buffer = [UInt8](repeating: 0, count: 64 << 10)
    /// When to listen again after accepting has failed, for example for want of descriptors.
    private var listensAgain: MonotonicInstant?
    /// When to give up delivering answers; set by the request to stop.
    private var lastDeadline: MonotonicInstant?

    init(
        _ shared: ServerShared, stop: borrowing EventDescriptor
    ) throws(SystemError) {
        self.shared = shared
        poller = try Poller()
        try poller.add(shared.listener.descriptor, for: .readable, token: Token.listener)
        try poller.add(shared.wake.descriptor, for: .readable, token: Token.wake)
        try poller.add(
            stop.descriptor, for: .readable, token: Token.stop, edgeTriggered: true)
    }

    /// Serves until it is asked to stop.
    func run() throws(SystemError) {
        while !isOver {
            var events: [(token: UInt64, readiness: Readiness)] = []
            try poller.wait(deadline: nextDeadline) { events.append(($0, $1)) }
            for event in events {
                try dispatch(event.token, event.readiness)
            }
            try expire()
        }
    }

    /// Whether everything that can be delivered is.
    private var isOver: Bool {
        guard let lastDeadline else { return false }
        return lastDeadline.hasPassed || !connections.values.contains { $0.interest == .writable }
    }

    private var nextDeadline: MonotonicInstant? {
        let others = [lastDeadline, listensAgain].compactMap(\.self)
        return (connections.values.compactMap(\.deadline) + others).min()
    }

    private func dispatch(_ token: UInt64, _ readiness: Readiness) throws(SystemError) {
        switch token {
        case Token.listener:
            try accept()
        case Token.wake:
            try deliver()
        case Token.stop:
            // What was completed before the request to stop is answered.
            try deliver()
            lastDeadline = .after(milliseconds: 1000)
            try poller.remove(shared.listener.descriptor)
        default:
            guard let connection = connections[token] else { return }
            try take(connection.advance(readiness, buffer: &buffer), of: token)
        }
    }

    private func accept() throws(SystemError) {
        let connection: Connection
        do throws(SystemError) {
            connection = Connection(
                try shared.listener.accept(deadline: .now), limits: shared.limits)
        } catch {
            guard error.errno != .timedOut else { return }
            shared.logger.warning("API: \(error)")
            // Listening on at once would only fail again at once.
            listensAgain = .after(milliseconds: 100)
            try poller.modify(shared.listener.descriptor, for: [], token: Token.listener)
            return
        }
        guard connections.count < shared.limits.connections else {
            connection.refuse(
                APIFailure(
                    .unavailable,
                    "More than \(shared.limits.connections) clients at once; try again later"))
            return
        }
        try poller.add(
            connection.socket.descriptor, for: connection.interest, token: nextToken)
        connections[nextToken] = connection
        nextToken += 1
    }

    private func deliver() throws(SystemError) {
        for (token, response) in shared.takeResponses() {
            // The client may be gone.
            guard let connection = connections[token] else { continue }
            try take(connection.complete(response), of: token)
        }
    }

    private func take(_ step: Connection.Step, of token: UInt64) throws(SystemError) {
        guard let connection = connections[token] else { return }
        switch step {
        case .wait:
            break
        case .close:
            connections[token] = nil
            return
        case .call(let call):
            shared.logger.debug("API: \(call.endpoint.rawValue)")
            shared.handler.handle(call, reply: shared.reply(to: token))
        }
        try poller.modify(connection.socket.descriptor, for: connection.interest, token: token)
    }

    private func expire() throws(SystemError) {
        for (token, connection) in connections where connection.deadline?.hasPassed ?? false {
            connections[token] = nil
        }
        if let listensAgain, listensAgain.hasPassed {
            self.listensAgain = nil
            try poller.modify(shared.listener.descriptor, for: .readable, token: Token.listener)
        }
    }
}
