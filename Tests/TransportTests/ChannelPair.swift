import LinuxSystem
import Testing
import Transport

/// Two connected channels of this process.
struct ChannelPair {
    let client: SocketChannel
    let server: SocketChannel
    let listener: SocketListener

    /// Connects over the kind of URL given.
    init(_ url: MigrationURL) throws {
        let network = HostNetwork(allowsPlainTCP: false)
        listener = try network.listen(on: url)
        client = try network.connect(to: listener.url, within: OperationLimits())
        server = try listener.accept(
            within: OperationLimits(deadline: .after(milliseconds: 120_000)))
        listener.close()
    }

    /// Both kinds, for tests that hold for each.
    static var urls: [MigrationURL] {
        [.tcp(host: "127.0.0.1", port: 0), .unix(path: temporaryPath("pair"))]
    }
}

/// Memory to send from and to receive into.
final class TestMemory {
    private let mapping: Mapping

    init(bytes: Int) throws {
        mapping = try Mapping(anonymous: bytes)
    }

    var segment: MemorySegment {
        // SAFETY: the mapping has `count` bytes and lives as long as the tests that hold `self`.
        unsafe MemorySegment(baseAddress: mapping.baseAddress, count: mapping.count)
    }

    subscript(index: Int) -> UInt8 {
        // SAFETY: tests stay inside the mapping.
        get { unsafe mapping.baseAddress.load(fromByteOffset: index, as: UInt8.self) }
        set {
            unsafe mapping.baseAddress.storeBytes(of: newValue, toByteOffset: index, as: UInt8.self)
        }
    }
}
