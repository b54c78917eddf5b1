import Harness
import LinuxSystem
import Testing
import Transport

@testable import TransportTLS

/// The other end, played by the openssl command: another implementation, with wrong settings.
final class OpenSSLPeer: Sendable {
    private let process: ChildProcess
    private let port: UInt16
    /// Keeps the process's standard input open, whose end would end it.
    private let input: StreamSocketPair

    /// Starts `openssl s_client` or `openssl s_server`.
    ///
    /// - Parameters:
    ///   - folder: its certificates; nil for none.
    ///   - version: the option for the only version of TLS it speaks.
    ///   - url: where a client connects to.
    init(
        _ role: TLSCredentials.Role, _ folder: TLSFolder?, version: String?,
        connectingTo url: MigrationURL?
    ) throws {
        var words: [String]
        if case .tcp(let host, let port)? = url {
            words = ["s_client", "-connect", "\(host):\(port)"]
            self.port = port
        } else {
            let free = try HostNetwork(allowsPlainTCP: false).listen(
                on: .tcp(host: "127.0.0.1", port: 0))
            guard case .tcp(_, let port) = free.url else { throw TLSError.needsTCP("") }
            free.close()
            words = ["s_server", "-accept", "127.0.0.1:\(port)", "-naccept", "1"]
            self.port = port
        }
        if let folder {
            words += [
                "-cert", folder.path("\(role.rawValue)-cert.pem"),
                "-key", folder.path("\(role.rawValue)-key.pem"),
            ]
        }
        if let version { words.append(version) }
        input = try StreamSocket.pair(name: "input")
        let null = try OwnedDescriptor(opening: "/dev/null", .write)
        process = try ChildProcess(
            path: "/usr/bin/openssl", arguments: words,
            input: SharedDescriptor(try input.first.descriptor.duplicate()),
            errors: SharedDescriptor(null))
    }

    /// Waits until a server listens.
    func waitForURL() throws -> MigrationURL {
        let deadline = MonotonicInstant.after(milliseconds: 120_000)
        while !deadline.hasPassed {
            // A connection would be the only one it accepts: the kernel's table says it too.
            let table = try OwnedDescriptor(opening: "/proc/net/tcp").readAll(maximum: 1 << 20)
            let hex = String(port, radix: 16, uppercase: true)
            let entry = "0100007F:" + String(repeating: "0", count: 4 - hex.count) + hex
            let listens = String(decoding: table, as: UTF8.self).split(separator: "\n").contains {
                $0.contains("\(entry) 00000000:0000 0A")
            }
            if listens { return .tcp(host: "127.0.0.1", port: port) }
            MonotonicInstant.after(milliseconds: 5).sleep()
        }
        throw SystemError("wait for", "openssl", .timedOut)
    }

    func stop() {
        process.signal(9)
    }
}
