import LinuxSystem
import Synchronization
import Transport

/// The network of this host, where all connections but the first are made together or not at all:
/// each waits until so many are being made.
struct GatheringNetwork: Network {
    private let host = HostNetwork(allowsPlainTCP: false)
    private let gathering: Gathering
    private let patienceSeconds: Int

    /// - Parameters:
    ///   - count: how many connections come after the first one.
    ///   - patienceSeconds: how long one waits for the others before it fails.
    init(count: Int, patienceSeconds: Int = 120) {
        gathering = Gathering(count: count)
        self.patienceSeconds = patienceSeconds
    }

    var now: MonotonicInstant { host.now }

    func sleep(until end: MonotonicInstant, unless cancellation: Cancellation?) {
        host.sleep(until: end, unless: cancellation)
    }

    func wait(
        on event: borrowing EventDescriptor, until end: MonotonicInstant,
        for condition: @escaping @Sendable () -> Bool
    ) -> Bool {
        host.wait(on: event, until: end, for: condition)
    }

    func connect(
        to url: MigrationURL, within limits: OperationLimits
    ) throws(TransportError) -> SocketChannel {
        let deadline = MonotonicInstant.after(milliseconds: patienceSeconds * 1000)
        gathering.enter()
        while !gathering.isComplete {
            guard !deadline.hasPassed else {
                throw .silent(peer: "\(url)", seconds: patienceSeconds)
            }
            MonotonicInstant.after(milliseconds: 2).sleep()
        }
        return try host.connect(to: url, within: limits)
    }

    func listen(on url: MigrationURL) throws(TransportError) -> SocketListener {
        try host.listen(on: url)
    }

    func spawn(
        _ kind: ThreadKind, _ name: String, _ body: @escaping @Sendable () -> Void
    ) throws(SystemError) {
        try host.spawn(kind, name, body)
    }

    private final class Gathering: Sendable {
        private let count: Int
        private let entered = Mutex(0)

        init(count: Int) { self.count = count }

        func enter() { entered.withLock { $0 += 1 } }

        var isComplete: Bool { entered.withLock { $0 == 1 || $0 > count } }
    }
}
