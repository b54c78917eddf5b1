import LinuxSystem
import Testing
import Transport

/// Passes bytes on between a client and a server, until it ends both connections as TCP does,
/// which nobody between two hosts can be kept from.
final class CuttingProxy: Sendable {
    let url: MigrationURL
    private let listener: SocketListener
    private let thread: WorkerThread
    private let cut: EventDescriptor

    init(to target: MigrationURL) throws {
        let network = HostNetwork(allowsPlainTCP: false)
        let listener = try network.listen(on: .tcp(host: "127.0.0.1", port: 0))
        let cut = try EventDescriptor(name: "cut")
        let descriptor = try cut.descriptor.duplicate()
        self.listener = listener
        self.cut = cut
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
                Self.pass(server, client, &buffer)
            }
            server.shutdown()
            client.shutdown()
        }
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
