import Glibc
import LinuxSystem
import Logging
import Synchronization
import Testing

@testable import ControlAPI

/// A server at a path of its own, whose handler keeps the calls and does as a test says.
final class ServerFixture: Sendable {
    let path: String
    let server: APIServer
    let handler: RecordingHandler

    init(
        limits: ServerLimits = ServerLimits(), answering: RecordingHandler.Behaviour = .succeed
    ) throws {
        path = temporaryPath("api")
        handler = RecordingHandler(answering)
        server = try APIServer(
            path: path, handler: handler, logger: Logger(label: "test"), limits: limits)
    }

    deinit {
        server.stop()
        removeTemporary(path)
    }

    var client: APIClient { APIClient(path: path) }

    /// A connection on which a test writes what it likes.
    func connect() throws -> RawClient {
        RawClient(try StreamSocket.connect(path: path, deadline: testDeadline))
    }
}

/// Removes what a test has left at its path, and the lock beside it.
func removeTemporary(_ path: String) {
    _ = unsafe unlink(path)
    _ = unsafe unlink("\(path).lock")
}

/// A path that no other test uses.
func temporaryPath(_ name: String) -> String {
    "/tmp/martlet-\(name)-\(UInt64.random(in: 0 ... .max))"
}

/// Long enough for a loaded machine; reached only when a test fails.
var testDeadline: MonotonicInstant { .after(milliseconds: 120_000) }

/// Keeps the calls, and answers them.
final class RecordingHandler: APIHandler {
    enum Behaviour: Sendable {
        /// Answer 204 at once.
        case succeed
        /// Answer with an object at once.
        case ping
        /// Answer with this failure.
        case fail(APIFailure)
        /// Drop the reply.
        case drop
        /// Keep each `vm.receive-migration` until `release`; answer the others 204.
        case keepReceiving
    }

    private struct State {
        var calls: [APICall] = []
        var kept: [KeptReply] = []
    }

    private final class KeptReply: Sendable {
        private let reply: Mutex<APIReply?>

        init(_ reply: consuming APIReply) {
            self.reply = Mutex(reply)
        }

        func succeed() {
            let reply = reply.withLock { $0.take() }
            if let reply { reply.succeed() }
        }
    }

    private let behaviour: Behaviour
    private let state = Mutex(State())
    private let keeping: EventDescriptor

    init(_ behaviour: Behaviour) {
        self.behaviour = behaviour
        guard let event = try? EventDescriptor(name: "test") else {
            fatalError("no descriptors left for the test")
        }
        keeping = event
    }

    var calls: [APICall] { state.withLock { $0.calls } }

    func handle(_ call: APICall, reply: consuming APIReply) {
        state.withLock { $0.calls.append(call) }
        switch behaviour {
        case .succeed: reply.succeed()
        case .ping:
            reply.succeed(with: VmmPing(buildVersion: "b", version: "v", pid: 7, features: ["f"]))
        case .fail(let failure): reply.fail(failure)
        case .drop: break
        case .keepReceiving:
            guard case .receiveMigration = call else { return reply.succeed() }
            keep(reply)
        }
    }

    private func keep(_ reply: consuming APIReply) {
        let kept = KeptReply(reply)
        state.withLock { $0.kept.append(kept) }
        keeping.signal()
    }

    /// Waits until one more reply is kept.
    func waitForKept() throws {
        try keeping.wait(deadline: testDeadline)
        keeping.drain()
    }

    /// Answers the kept replies with 204.
    func release() {
        let kept = state.withLock { state in
            defer { state.kept = [] }
            return state.kept
        }
        for reply in kept { reply.succeed() }
    }
}

/// A client that writes bytes as a test likes.
final class RawClient {
    let socket: StreamSocket

    init(_ socket: consuming StreamSocket) {
        self.socket = socket
    }

    func send(_ text: String, descriptors: [Int32] = []) throws {
        let bytes = Array(text.utf8)
        if descriptors.isEmpty {
            try socket.sendAll(bytes.span, deadline: testDeadline)
        } else {
            try socket.sendAll(bytes.span, descriptors: descriptors, deadline: testDeadline)
        }
    }

    /// What comes until `end` has come as well.
    func receive(until end: String) throws -> String {
        var text = ""
        while !text.contains(end) {
            let piece = try receive()
            guard !piece.isEmpty else { break }
            text += piece
        }
        return text
    }

    /// What comes until the server closes the connection.
    func receiveToEnd() throws -> String {
        var text = ""
        while true {
            let piece = try receive()
            guard !piece.isEmpty else { return text }
            text += piece
        }
    }

    private func receive() throws -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        var span = buffer.mutableSpan
        do throws(SystemError) {
            let count = try socket.receive(into: &span, deadline: testDeadline)
            return String(decoding: buffer[..<count], as: UTF8.self)
        } catch {
            // A server that closes with bytes unread resets the connection.
            guard error.errno == .connectionReset else { throw error }
            return ""
        }
    }
}

/// A descriptor to pass, of which it shows when the last copy is closed.
final class PassedDescriptor {
    private let kept: StreamSocket
    private var given: OwnedDescriptor?

    init() throws {
        let pair = try StreamSocket.pair(name: "passed")
        kept = StreamSocket(adopting: try pair.first.descriptor.duplicate())
        given = try pair.second.descriptor.duplicate()
    }

    /// The descriptor, as long as the test has its own copy.
    var number: Int32 { given?.rawValue ?? -1 }

    /// Closes the test's copy and waits until all others are closed as well.
    func expectClosed() throws {
        given = nil
        var byte: [UInt8] = [0]
        var span = byte.mutableSpan
        #expect(try kept.receive(into: &span, deadline: testDeadline) == 0)
    }

    /// Closes the test's end of it.
    static func withoutReader() throws -> OwnedDescriptor {
        try StreamSocket.pair(name: "passed").second.descriptor.duplicate()
    }
}
