public import LinuxSystem
private import Synchronization

/// The thread on which devices wait for their descriptors: doorbells, taps, timers, standard input.
///
/// Handlers run one at a time. Other threads get between them with `perform`, which is how a
/// device's state is changed or read without a lock of its own.
public final class EventLoop: Sendable {
    /// Called with what a descriptor is ready for. It must not block.
    public typealias Handler = @Sendable (Readiness) -> Void

    /// A descriptor that the loop waits for.
    public struct Watch: Hashable, Sendable {
        fileprivate let token: UInt64
    }

    private let core: Core
    private let thread: WorkerThread

    /// Starts the loop's thread.
    ///
    /// - Parameters:
    ///   - name: the thread's name, for people.
    ///   - onFailure: called on the loop's thread when it cannot wait any more and ends; devices
    ///     stand still then.
    public init(
        name: String, onFailure: @escaping @Sendable (SystemError) -> Void = { _ in }
    ) throws(SystemError) {
        let core = Core(poller: try Poller())
        self.core = core
        thread = try WorkerThread(name: name, kind: .devices) { stop in
            do throws(SystemError) {
                try core.run(until: stop)
            } catch {
                onFailure(error)
            }
        }
    }

    deinit {
        stop()
    }

    /// Waits for a descriptor from now on. The caller keeps it open until `unwatch`.
    ///
    /// - Parameters:
    ///   - descriptor: what to wait for; one watch for each descriptor.
    ///   - readiness: when to call; failure and hang-up are always reported.
    ///   - edgeTriggered: calls once for each change, instead of again and again while it is ready.
    ///   - handler: called on the loop's thread.
    public func watch(
        _ descriptor: borrowing OwnedDescriptor, for readiness: Readiness,
        edgeTriggered: Bool = false, handler: @escaping Handler
    ) throws(SystemError) -> Watch {
        let token = core.register(handler)
        do throws(SystemError) {
            try core.poller.add(
                descriptor, for: readiness, token: token, edgeTriggered: edgeTriggered)
        } catch {
            core.unregister(token)
            throw error
        }
        return Watch(token: token)
    }

    /// Changes what a watch waits for; with an empty set it is called for failures only.
    public func change(
        _ watch: Watch, of descriptor: borrowing OwnedDescriptor, to readiness: Readiness,
        edgeTriggered: Bool = false
    ) throws(SystemError) {
        try core.poller.modify(
            descriptor, for: readiness, token: watch.token, edgeTriggered: edgeTriggered)
    }

    /// Waits for a descriptor no more. When this returns, its handler is not running, unless it is
    /// the handler that calls, and is never called again.
    public func unwatch(_ watch: Watch, of descriptor: borrowing OwnedDescriptor) {
        // Only a descriptor that was closed too early cannot be removed; it is gone from the
        // poller anyway.
        try? core.poller.remove(descriptor)
        perform { core.unregister(watch.token) }
    }

    /// Runs `body` while no handler runs, on the calling thread, and returns what it returns.
    ///
    /// Handlers and closures may call this again; it works before and after the loop runs. Never
    /// call it with a lock held that a handler takes.
    public func perform<Value: Sendable, Failure: Error>(
        _ body: () throws(Failure) -> Value
    ) throws(Failure) -> Value {
        try core.turn.hold(body)
    }

    /// Ends the thread; no handler runs after this returns. On the loop's own thread it returns at
    /// once and the loop ends with the running handler.
    public func stop() {
        thread.requestStop()
        thread.join()
    }
}

/// What the loop's owner and its thread share; the thread must not keep the owner alive.
private final class Core: Sendable {
    /// The token of the request to stop; handlers count from 1.
    private static let stopToken: UInt64 = 0

    let poller: Poller
    private let handlers = Mutex<(next: UInt64, byToken: [UInt64: EventLoop.Handler])>((1, [:]))
    let turn = Turn()

    init(poller: consuming Poller) {
        self.poller = poller
    }

    func register(_ handler: @escaping EventLoop.Handler) -> UInt64 {
        handlers.withLock { handlers in
            let token = handlers.next
            handlers.next += 1
            handlers.byToken[token] = handler
            return token
        }
    }

    func unregister(_ token: UInt64) {
        handlers.withLock { _ = $0.byToken.removeValue(forKey: token) }
    }

    func run(until stop: borrowing EventDescriptor) throws(SystemError) {
        try poller.add(stop.descriptor, for: .readable, token: Self.stopToken)
        var isStopping = false
        while !isStopping {
            try poller.wait { token, readiness in
                if token == Self.stopToken {
                    isStopping = true
                } else if !isStopping {
                    dispatch(token, readiness)
                }
            }
        }
    }

    /// The handler is looked up after the turn is taken: whoever had the turn before may have
    /// ended the watch.
    private func dispatch(_ token: UInt64, _ readiness: Readiness) {
        turn.hold {
            handlers.withLock { $0.byToken[token] }?(readiness)
        }
    }
}
