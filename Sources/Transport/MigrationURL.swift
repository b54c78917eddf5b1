/// Where a migration goes to or is awaited: `tcp:<host>:<port>`, `tcp:[<v6>]:<port>` or
/// `unix:<path>`, as Cloud Hypervisor writes them.
public enum MigrationURL: Hashable, Sendable {
    /// A TCP endpoint. The host is a name or an address, without brackets.
    case tcp(host: String, port: UInt16)

    /// A UNIX socket in the file system.
    case unix(path: String)

    /// The longest path that fits into the kernel's `sockaddr_un`, without the final zero byte.
    public static let longestPath = 107

    /// Reads a URL as a user wrote it.
    ///
    /// - Throws: `TransportError.invalidURL`, which says what is wrong and shows the right form.
    public init(parsing text: String) throws(TransportError) {
        if let path = text.rest(after: "unix:") {
            self = try .unix(path: MigrationURL.checkedPath(path, in: text))
        } else if let endpoint = text.rest(after: "tcp:") {
            self = try MigrationURL.endpoint(endpoint, in: text)
        } else {
            throw .invalidURL(text, reason: "it starts with neither 'tcp:' nor 'unix:'")
        }
    }

    private static func checkedPath(
        _ path: Substring, in text: String
    ) throws(TransportError) -> String {
        guard !path.isEmpty else { throw .invalidURL(text, reason: "the path is empty") }
        guard path.utf8.count <= longestPath else {
            throw .invalidURL(
                text, reason: "the path of a UNIX socket has at most \(longestPath) bytes")
        }
        guard !path.utf8.contains(0) else {
            throw .invalidURL(text, reason: "the path contains a zero byte")
        }
        return String(path)
    }

    private static func endpoint(
        _ endpoint: Substring, in text: String
    ) throws(TransportError) -> MigrationURL {
        guard let colon = endpoint.lastIndex(of: ":") else {
            throw .invalidURL(text, reason: "the port is missing")
        }
        var host = endpoint[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw .invalidURL(text, reason: "an IPv6 address belongs in brackets")
        }
        guard !host.isEmpty, !host.utf8.contains(0) else {
            throw .invalidURL(text, reason: "the host is missing")
        }
        guard let port = UInt16(endpoint[endpoint.index(after: colon)...]) else {
            throw .invalidURL(text, reason: "the port is no number from 0 to 65535")
        }
        return .tcp(host: String(host), port: port)
    }
}

extension MigrationURL: CustomStringConvertible {
    /// The URL as a user would write it.
    public var description: String {
        switch self {
        case .unix(let path): "unix:\(path)"
        case .tcp(let host, let port):
            host.contains(":") ? "tcp:[\(host)]:\(port)" : "tcp:\(host):\(port)"
        }
    }
}

extension String {
    fileprivate func rest(after prefix: String) -> Substring? {
        hasPrefix(prefix) ? dropFirst(prefix.count) : nil
    }
}
