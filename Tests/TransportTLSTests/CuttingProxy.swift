import LinuxSystem
import Synchronization
import Testing
import Transport

/// Passes bytes on between a client and a server, until it ends both connections as TCP does,
/// which nobody between two hosts can be kept from.
final class CuttingProxy: Sendable {
    let url: MigrationURL
    private let listener: SocketListener
    private let thread: WorkerThread
    private let cut: EventDescriptor
    private let isDripping: Flag

    /// A word between threads.
    private final class Flag: Sendable {
        let isSet = Atomic<Bool>(false)
        let wasSeen: EventDescriptor

        init() throws { wasSeen = try EventDescriptor(name: "dripping") }
    }

    init(to target: MigrationURL) throws {
        let network = HostNetwork(allowsPlainTCP: false)
        let listener = try network.listen(on: .tcp(host: "127.0.0.1", port: 0))
        let cut = try EventDescriptor(name: "cut")
        let descriptor = try cut.descriptor.duplicate()
        self.listener = listener
        self.cut = cut
        let isDripping = try Flag()
        self.isDripping = isDripping
        url = listener.url
        thread = try WorkerThread(name: "proxy") { _ in
            guard let accepted = try? listener.acceptSocket(within: OperationLimits()),
                let server = try? network.connectSocket(to: target, within: OperationLimits())
            else { return }
            let client = accepted.taken()
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            while true {
                if let found = try? descriptor.wait(forAny: .readable, deadline: .now),
                    !found.isEmpty
                {
                    break
                }
                Self.pass(client, server, &buffer)
                if isDripping.isSet.load(ordering: .relaxed) {
                    isDripping.wasSeen.signal()
                    // Less than a record of TLS needs to be one.
                    var drop: [UInt8] = [0]
                    Self.pass(server, client, &drop)
                    network.sleep(until: .after(milliseconds: 50), unless: nil)
                } else {
                    Self.pass(server, client, &buffer)
                }
            }
            server.shutdown()
            client.shutdown()
        }
    }

    /// What the server says reaches the client a byte at a time from now on.
    func drip() throws {
        isDripping.isSet.store(true, ordering: .relaxed)
        try isDripping.wasSeen.wait(deadline: .after(milliseconds: 120_000))
    }

    /// Ends both connections with what TCP has for an orderly end.
    func cutOrderly() {
        cut.signal()
        thread.join()
    }

    private static func pass(
        _ from: borrowing StreamSocket, _ to: borrowing StreamSocket, _ buffer: inout [UInt8]
    ) {
        let readiness = try? from.descriptor.wait(
            forAny: .readable, deadline: .after(milliseconds: 2))
        guard readiness?.isEmpty == false,
            case .moved(let count)? = try? from.receiveAvailable(into: &buffer, from: 0)
        else { return }
        try? to.descriptor.writeAll(Array(buffer.prefix(count)))
    }
}
