import Harness
import LinuxSystem
import Synchronization
import Testing
import Transport

@testable import TransportTLS

/// The certificates that most tests use: one authority, both ends for loopback.
enum Certificates {
    static let authority = Result { try CertificateAuthority() }
    static let good = Result { try authority.get().issue() }
}

/// Two ends that are to connect over loopback.
struct TLSEnds {
    let server: MigrationNetwork
    let client: MigrationNetwork
    /// What the server's end gave up before anybody accepted it.
    let reports: Reports

    /// The two ends with the certificates of two folders; nil for a plain end.
    init(
        server serverFolder: TLSFolder?, client clientFolder: TLSFolder?,
        letsIn clients: ClientNames = .ownAddress
    ) throws {
        let reports = try Reports()
        self.reports = reports
        server = MigrationNetwork(
            allowsPlainTCP: false,
            protection: try serverFolder.map { folder in
                MigrationNetwork.Protection(
                    try TLSCredentials(folder: folder.path, role: .server), clients: clients)
            },
            report: { reports.add("\($0)") })
        client = MigrationNetwork(
            allowsPlainTCP: false,
            protection: try clientFolder.map { folder in
                MigrationNetwork.Protection(try TLSCredentials(folder: folder.path, role: .client))
            })
    }

    static let anyPort = MigrationURL.tcp(host: "127.0.0.1", port: 0)

    /// Connects, sends a byte and waits for one, as a source does.
    ///
    /// - Returns: why it failed; nil when it did not.
    func sourceError(at url: MigrationURL) -> TransportError? {
        var bytes: [UInt8] = []
        do throws(TransportError) {
            let channel = try client.connect(to: url, within: OperationLimits())
            defer { channel.close(.abrupt) }
            try channel.send([1], within: OperationLimits())
            try channel.receive(1, into: &bytes, within: OperationLimits())
        } catch {
            return error
        }
        return nil
    }

    final class Reports: Sendable {
        private let texts = Mutex<[String]>([])
        private let isNew: EventDescriptor

        init() throws { isNew = try EventDescriptor(name: "reports") }

        func add(_ text: String) {
            texts.withLock { $0.append(text) }
            isNew.signal()
        }

        /// The first report, which is waited for.
        func first() throws -> String {
            try isNew.wait(deadline: .after(milliseconds: 120_000))
            return try #require(texts.withLock { $0.first })
        }
    }
}

/// Two protected channels of this process.
struct TLSPair {
    let client: HostConnection
    let server: HostConnection

    init() throws {
        let folder = try Certificates.good.get()
        let ends = try TLSEnds(server: folder, client: folder)
        let listener = try ends.server.listen(on: TLSEnds.anyPort)
        defer { listener.close() }
        client = try ends.client.connect(to: listener.url, within: OperationLimits())
        server = try listener.accept(
            within: OperationLimits(deadline: .after(milliseconds: 120_000)))
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
