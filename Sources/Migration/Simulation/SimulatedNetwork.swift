import LinuxSystem
import MigrationProtocol
import Synchronization
import Transport

/// The network, the clock and the threads of one simulated process.
final class SimulatedNetwork: Network {
    private let world: SimulatedWorld
    private let process: SimulatedProcess

    init(world: SimulatedWorld, process: SimulatedProcess) {
        self.world = world
        self.process = process
    }

    var now: MonotonicInstant { world.time.now }

    func sleep(until end: MonotonicInstant, unless cancellation: Cancellation?) {
        _ = world.time.wait(until: end) {
            cancellation?.request != nil ? .now : .never
        }
    }

    func wait(
        on event: borrowing EventDescriptor, until end: MonotonicInstant,
        for condition: @escaping @Sendable () -> Bool
    ) -> Bool {
        let process = self.process
        _ = world.time.wait(until: end) { process.isDead || condition() ? .now : .never }
        return condition()
    }

    func connect(
        to url: MigrationURL, within limits: OperationLimits
    ) throws(TransportError) -> SimulatedChannel {
        world.takeStep(of: process)
        let refused = TransportError.unreachable(
            url, SystemError("connect to", "\(url)", .connectionRefused))
        if let request = limits.cancellation?.request { throw .cancelled(reason: request.reason) }
        // A packet to and fro; one that is lost makes the attempt time out.
        let reachable = max(now, world.partitionEnd)
        let end = limits.end(from: now)
        _ = world.time.wait(until: min(reachable, end).advanced(byNanoseconds: 100_000)) { .never }
        guard reachable < end, !process.isDead, !world.time.hasEnded,
            let listener = world.listener, listener.isOpen
        else { throw refused }
        let (near, far) = SimulatedChannel.pair(world, process, listener.process)
        listener.push(far)
        return near
    }

    func listen(on url: MigrationURL) throws(TransportError) -> SimulatedListener {
        let listener = SimulatedListener(url: url, world: world, process: process)
        world.setListener(listener)
        return listener
    }

    func spawn(
        _ kind: ThreadKind, _ name: String, _ body: @escaping @Sendable () -> Void
    ) throws(SystemError) {
        try world.time.spawn(name, body)
    }
}

/// A place in the simulated network where connections arrive.
final class SimulatedListener: ConnectionListener {
    let url: MigrationURL
    let process: SimulatedProcess
    private let world: SimulatedWorld
    private let waiting = Mutex<[SimulatedChannel]>([])
    private let isClosed = Atomic(false)

    init(url: MigrationURL, world: SimulatedWorld, process: SimulatedProcess) {
        self.url = url
        self.world = world
        self.process = process
    }

    /// Whether somebody can connect.
    var isOpen: Bool { !isClosed.load(ordering: .relaxed) && !process.isDead }

    func push(_ channel: SimulatedChannel) {
        waiting.withLock { $0.append(channel) }
    }

    func accept(within limits: OperationLimits) throws(TransportError) -> SimulatedChannel {
        let end = limits.deadline ?? .distantFuture
        _ = world.time.wait(until: end) { [self] in
            if !isOpen || limits.cancellation?.request != nil { return .now }
            return waiting.withLock { $0.isEmpty ? .never : .now }
        }
        if let request = limits.cancellation?.request { throw .cancelled(reason: request.reason) }
        guard isOpen, let channel = waiting.withLock({ $0.isEmpty ? nil : $0.removeFirst() })
        else { throw .notListening(url) }
        return channel
    }

    func close() {
        isClosed.store(true, ordering: .relaxed)
    }
}
