internal import LinuxSystem

/// Waits on a device's thread for doorbells and whatever else the device listens to, until the
/// thread is asked to stop.
struct EventWaiter: ~Copyable {
    private static let stopToken = UInt64.max

    private let poller: Poller

    /// A waiter that ends with `stop`.
    init(stop: borrowing EventDescriptor) throws(SystemError) {
        let poller = try Poller()
        try poller.add(stop.descriptor, for: .readable, token: Self.stopToken)
        self.poller = poller
    }

    /// Waits for a descriptor, too.
    ///
    /// - Parameter token: given to the handler; below `UInt64.max`.
    func add(
        _ descriptor: borrowing OwnedDescriptor, for readiness: Readiness = .readable, token: UInt64
    ) throws(SystemError) {
        try poller.add(descriptor, for: readiness, token: token)
    }

    /// Waits for a descriptor no more, not even for its failure.
    func remove(_ descriptor: borrowing OwnedDescriptor) throws(SystemError) {
        try poller.remove(descriptor)
    }

    /// Calls `handle` with the token of each descriptor that is ready, until the thread is asked to
    /// stop.
    func run(_ handle: (UInt64) -> Void) throws(SystemError) {
        var isStopped = false
        while !isStopped {
            try poller.wait { token, _ in
                if token == Self.stopToken {
                    isStopped = true
                } else {
                    handle(token)
                }
            }
        }
    }
}

extension WorkerThread {
    /// A thread that serves one queue: once at the start, because the doorbell may have rung before
    /// a move, and then whenever it rings.
    ///
    /// - Parameter serve: serves all requests there are with the chain that it is given.
    static func serving(
        _ queue: DeviceQueue, of activation: DeviceActivation, name: String, kind: ThreadKind,
        _ serve: @escaping @Sendable (inout DescriptorChain) -> Void
    ) throws(SystemError) -> WorkerThread {
        try WorkerThread(name: name, kind: kind) { stop in
            var chain = DescriptorChain(memory: activation.memory)
            serve(&chain)
            do throws(SystemError) {
                let waiter = try EventWaiter(stop: stop)
                try waiter.add(queue.doorbell.descriptor, token: 0)
                try waiter.run { _ in
                    queue.doorbell.drain()
                    serve(&chain)
                }
            } catch {
                activation.notifier.fail("Queue \(queue.index) cannot be served: \(error)")
            }
        }
    }
}
