import LinuxSystem
import MigrationProtocol
import Synchronization

/// Stands between a source and a destination on UNIX sockets, passes every message of a pre-copy
/// on, and holds the first of a kind that a test has chosen until it is told what to do: so a
/// fault can be made at any point of a migration, without luck. It can also make the wire slow.
/// Inquiries pass as they are.
final class Interceptor: Sendable {
    /// A message of a migration.
    enum Message: Hashable, Sendable, CustomStringConvertible {
        /// From the source.
        case request(Command)
        /// From the destination.
        case answer(to: Command)

        var description: String {
            switch self {
            case .request(let command): "\(command)"
            case .answer(let command): "the answer to \(command)"
            }
        }
    }

    /// What happens to the message that is held.
    enum Verdict: Sendable {
        /// It goes on.
        case pass
        /// The connection ends at both ends, and the message is lost.
        case cut
    }

    private let chosen: Message?
    private let memoryDelay: Int
    private let rewriteConfig: @Sendable ([UInt8]) -> [UInt8]
    private let destinationPath: String
    private let listener: StreamListener
    private let reached = Atomic(false)
    private let verdict = Mutex<Verdict?>(nil)
    private let lines = Mutex<[Line]>([])
    private let threads = Mutex<[WorkerThread]>([])

    /// Begins to listen at a path, for the destination at another.
    ///
    /// - Parameters:
    ///   - memoryDelay: how long each Memory request takes at least, in milliseconds.
    ///   - rewriteConfig: what the destination gets instead of a Config payload.
    init(
        at path: String, before destinationPath: String, holding chosen: Message? = nil,
        memoryDelay: Int = 0,
        rewriteConfig: @escaping @Sendable ([UInt8]) -> [UInt8] = { $0 }
    ) throws {
        self.chosen = chosen
        self.memoryDelay = memoryDelay
        self.rewriteConfig = rewriteConfig
        self.destinationPath = destinationPath
        listener = try StreamListener(path: path)
        try spawn { interceptor in
            while let socket = try? interceptor.listener.accept() {
                let source = Line(socket)
                try? interceptor.spawn { $0.serve(source) }
            }
        }
    }

    /// Whether the chosen message is held, or was.
    var hasReached: Bool { reached.load(ordering: .acquiring) }

    /// Says what happens to the message that is held.
    func decide(_ decision: Verdict) {
        verdict.withLock { $0 = decision }
    }

    /// Ends all connections and listens no more.
    func close() {
        listener.stopListening()
        decide(.cut)
        for line in lines.withLock({ $0 }) { line.socket.shutdown() }
        for thread in threads.withLock({ $0 }) { thread.join() }
    }

    private func spawn(_ body: @escaping @Sendable (Interceptor) -> Void) throws {
        let thread = try WorkerThread(name: "interceptor") { _ in body(self) }
        threads.withLock { $0.append(thread) }
    }

    private func serve(_ source: Line) {
        defer { source.socket.shutdown() }
        lines.withLock { $0.append(source) }
        guard let socket = try? StreamSocket.connect(path: destinationPath) else { return }
        let destination = Line(socket)
        defer { destination.socket.shutdown() }
        lines.withLock { $0.append(destination) }
        do {
            let role = try source.receive(ConnectionRole.byteCount)
            if (try? ConnectionRole(decoding: role.span)) == .inquiry {
                try passInquiry(role, source, destination)
            } else {
                try passMigration(role, source, destination)
            }
        } catch {
            // An end went away, or the test cut the connection: that is what it is for.
            return
        }
    }

    private func passInquiry(_ role: [UInt8], _ source: Line, _ destination: Line) throws {
        try destination.send(role + source.receive(SessionToken.byteCount))
        try passAnswer(destination, source)
    }

    private func passMigration(_ start: [UInt8], _ source: Line, _ destination: Line) throws {
        var first = start
        while true {
            let header = try first + source.receive(Request.byteCount - first.count)
            first = []
            let request = try Request(decoding: header.span)
            try hold(.request(request.command))
            let payload = try source.receive(Int(request.length))
            if request.command == .config {
                let config = rewriteConfig(payload)
                let changed = Request(.config, length: UInt64(config.count)).encoded
                try destination.send(changed + config)
            } else {
                try destination.send(header + payload)
            }
            if request.command == .memory {
                MonotonicInstant.after(milliseconds: memoryDelay).sleep()
                var rest = try Int(MemoryRangeTable(decoding: payload).contentLength)
                while rest > 0 {
                    let piece = try source.receive(min(rest, 1 << 20))
                    try destination.send(piece)
                    rest -= piece.count
                }
            }
            try passAnswer(destination, source, holding: .answer(to: request.command))
        }
    }

    private func passAnswer(
        _ destination: Line, _ source: Line, holding message: Message? = nil
    ) throws {
        let header = try destination.receive(Response.byteCount)
        let response = try Response(decoding: header.span)
        if let message { try hold(message) }
        try source.send(header + destination.receive(Int(response.length)))
    }

    private func hold(_ message: Message) throws {
        guard message == chosen, !reached.exchange(true, ordering: .acquiringAndReleasing) else {
            return
        }
        while true {
            switch verdict.withLock({ $0 }) {
            case .pass: return
            case .cut: throw Line.Ended()
            case nil: MonotonicInstant.after(milliseconds: 2).sleep()
            }
        }
    }
}

/// One connection of an interceptor.
private final class Line: Sendable {
    struct Ended: Error {}

    let socket: StreamSocket

    init(_ socket: consuming StreamSocket) {
        self.socket = socket
    }

    func receive(_ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var span = bytes.mutableSpan
        guard try socket.receiveAll(into: &span) == count else { throw Ended() }
        return bytes
    }

    func send(_ bytes: [UInt8]) throws {
        try socket.sendAll(bytes.span)
    }
}
