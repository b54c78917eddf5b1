import LinuxSystem
import Synchronization
import Testing
import Transport

/// Something on the way between two hosts that damages data: it passes all bytes on, but flips a bit
/// in the middle of every long run of one byte value from the side that connects.
final class FlippingProxy: Sendable {
    /// Contents that it recognises: at least so many of this byte one behind the other.
    static let mark: UInt8 = 0xC3
    private static let markLength = 512

    /// How often it flipped a bit.
    var flipCount: Int { flips.withLock { $0 } }

    /// Where to connect to instead of the destination.
    let url: MigrationURL

    private let listener: StreamListener
    private let port: UInt16
    private let flips = Mutex(0)
    private let threads = Mutex<[WorkerThread]>([])

    /// Passes bytes on to a TCP port of this host.
    init(to url: MigrationURL) throws {
        guard case .tcp(_, let port) = url else {
            throw SystemError("use", "\(url)", .invalidArgument)
        }
        self.port = port
        listener = try StreamListener(addresses: SocketAddress.resolve("127.0.0.1:0"))
        self.url = .tcp(host: "127.0.0.1", port: try listener.address.port)
    }

    /// Accepts so many connections.
    func start(connections: Int) throws {
        let acceptor = try WorkerThread(name: "proxy") { [self] _ in
            for _ in 0..<connections {
                guard let near = try? listener.accept(deadline: .after(milliseconds: 120_000)),
                    let far = try? StreamSocket.connect(
                        to: SocketAddress.resolve("127.0.0.1:\(port)"),
                        deadline: .after(milliseconds: 120_000))
                else { return }
                let pair = Pair(near: near, far: far)
                let there = try? WorkerThread(name: "proxy-there") { [self] _ in
                    pump(from: pair.near, to: pair.far, flipping: true)
                }
                let back = try? WorkerThread(name: "proxy-back") { [self] _ in
                    pump(from: pair.far, to: pair.near, flipping: false)
                }
                threads.withLock { list in
                    if let there { list.append(there) }
                    if let back { list.append(back) }
                }
            }
        }
        threads.withLock { $0.append(acceptor) }
    }

    private final class Pair: Sendable {
        let near: StreamSocket
        let far: StreamSocket

        init(near: consuming StreamSocket, far: consuming StreamSocket) {
            self.near = near
            self.far = far
        }
    }

    private func pump(
        from source: borrowing StreamSocket, to target: borrowing StreamSocket, flipping: Bool
    ) {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            var span = buffer.mutableSpan
            guard let count = try? source.receive(into: &span), count > 0 else { break }
            if flipping { flip(&buffer, count) }
            guard (try? target.sendAll(buffer.span.extracting(first: count))) != nil else { break }
        }
        source.shutdown()
        target.shutdown()
    }

    private func flip(_ buffer: inout [UInt8], _ count: Int) {
        var length = 0
        for index in 0..<count {
            length = buffer[index] == Self.mark ? length + 1 : 0
            guard length == Self.markLength else { continue }
            buffer[index - length / 2] ^= 1
            flips.withLock { $0 += 1 }
        }
    }
}
