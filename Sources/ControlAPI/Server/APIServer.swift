public import LinuxSystem
public import Logging
import Synchronization

/// The API on a UNIX socket. One thread serves all clients; calls that take time do not hold up
/// those of other clients.
public final class APIServer: Sendable {
    private let shared: ServerShared
    private let thread: WorkerThread

    /// Listens at `path`, with mode 0600; a socket that a dead process has left there is replaced.
    /// - Parameters:
    ///   - handler: Carries out the calls.
    ///   - logger: Gets a line for each call at debug level, and warnings.
    /// - Throws: `.addressInUse` when another process serves there.
    public convenience init(
        path: String, handler: any APIHandler, logger: Logger, limits: ServerLimits = ServerLimits()
    ) throws(SystemError) {
        try self.init(
            listener: StreamListener(path: path), handler: handler, logger: logger, limits: limits)
    }

    /// Serves the clients of a listener.
    public init(
        listener: consuming StreamListener, handler: any APIHandler, logger: Logger,
        limits: ServerLimits = ServerLimits()
    ) throws(SystemError) {
        let shared = ServerShared(
            listener: listener, wake: try EventDescriptor(name: "API replies"), handler: handler,
            logger: logger, limits: limits)
        self.shared = shared
        thread = try WorkerThread(name: "api", kind: .api) { stop in
            do throws(SystemError) {
                let loop = try ServerLoop(shared, stop: stop)
                try loop.run()
            } catch {
                shared.logger.error("API: the server has ended: \(error)")
            }
        }
    }

    /// Ends the server: answers that are complete are still delivered as long as that takes less
    /// than a second, then all connections are closed. On the server's own thread it only asks.
    public func stop() {
        thread.requestStop()
        thread.join()
    }
}

/// Limits that keep one client from harming others.
public struct ServerLimits: Sendable {
    /// Clients at once.
    public var connections = 10
    /// Time from the first byte of a request to its last, and for taking an answer.
    public var requestMilliseconds = 10_000
    /// Time without a request.
    public var idleMilliseconds = 60_000
    /// Sizes of a request.
    var request = RequestParser.Limits()

    /// The usual limits.
    public init() {}
}

/// What the server's thread and the replies share.
final class ServerShared: Sendable {
    let listener: StreamListener
    let handler: any APIHandler
    let logger: Logger
    let limits: ServerLimits
    /// Signalled when there are responses.
    let wake: EventDescriptor
    private let responses = Mutex<[(token: UInt64, response: APIResponse)]>([])

    init(
        listener: consuming StreamListener, wake: consuming EventDescriptor,
        handler: any APIHandler, logger: Logger, limits: ServerLimits
    ) {
        self.listener = listener
        self.wake = wake
        self.handler = handler
        self.logger = logger
        self.limits = limits
    }

    /// A reply for the connection. At most one per connection is outstanding, so the responses
    /// that wait are bounded by the calls that are being carried out.
    func reply(to token: UInt64) -> APIReply {
        APIReply { [self] response in
            responses.withLock { $0.append((token, response)) }
            wake.signal()
        }
    }

    func takeResponses() -> [(token: UInt64, response: APIResponse)] {
        wake.drain()
        return responses.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
    }
}
