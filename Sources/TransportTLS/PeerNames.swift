import LinuxSystem
internal import NIOSSL
internal import Transport

/// The names that a peer's certificate carries.
struct PeerNames {
    /// DNS names of the subject alternative names, in lower case, without a final dot.
    var dns: [String] = []
    /// IP addresses of the subject alternative names.
    var addresses: [IPAddress] = []
    /// The common name, which counts only where a user lists it.
    var commonName: String?

    /// What a certificate carries; nothing for none.
    init(_ certificate: NIOSSLCertificate?) {
        guard let certificate else { return }
        for name in certificate._subjectAlternativeNames() {
            switch name.nameType {
            case .dnsName:
                dns.append(PeerNames.canonical(String(decoding: name.contents, as: UTF8.self)))
            case .ipAddress:
                if let address = IPAddress(bytes: Array(name.contents)) {
                    addresses.append(address)
                }
            default: break
            }
        }
        commonName = certificate.subjectName.first { $0.type == .commonName }?.value
    }

    /// For messages.
    var all: [String] {
        dns + addresses.map(\.description) + (commonName.map { ["CN=\($0)"] } ?? [])
    }

    /// Whether the certificate is for a host as a URL names it: an address or a DNS name (RFC
    /// 6125 section 6). The common name does not count.
    func match(host: String) -> Bool {
        if let address = IPAddress(host) { return addresses.contains(address) }
        let host = PeerNames.canonical(host)
        return dns.contains { PeerNames.match(host, pattern: $0) }
    }

    /// Whether the certificate carries a name of a list, also as its common name.
    func match(anyOf names: [String]) -> Bool {
        names.contains { match(host: $0) || $0 == commonName }
    }

    /// Whether a name is meant by one of a certificate, whose leftmost label may be `*` and then
    /// stands for any one label.
    private static func match(_ host: String, pattern: String) -> Bool {
        if host == pattern { return !host.isEmpty }
        guard pattern.hasPrefix("*."), let dot = host.firstIndex(of: "."), dot > host.startIndex
        else { return false }
        let domain = pattern.dropFirst(2)
        // "*.org" would be everybody's.
        return domain.contains(".") && host[host.index(after: dot)...] == domain
    }

    static func canonical(_ name: String) -> String {
        let lower = name.lowercased()
        return lower.hasSuffix(".") ? String(lower.dropLast()) : lower
    }
}

/// Which sources a destination lets in, of those whose certificates its authority has issued.
public enum ClientNames: Hashable, Sendable {
    /// Those whose certificate carries, as subject alternative name, the address that they
    /// connect from.
    case ownAddress

    /// Those whose certificate carries one of these: DNS names or addresses as subject alternative
    /// names, or the common name.
    case listed([String])

    /// All.
    case any

    /// What a user gave as `tls_names`: nothing, a list, or `*`.
    public init(_ names: [String]) {
        self =
            switch names {
            case []: .ownAddress
            case _ where names.contains("*"): .any
            default: .listed(names)
            }
    }

    /// Whether a peer's certificate, which is genuine, lets it in.
    func check(_ names: PeerNames, address: IPAddress?, peer: String) -> NameCheck {
        let expected: String
        switch self {
        case .any: return .passed
        case .ownAddress:
            if let address, names.addresses.contains(address) { return .passed }
            expected =
                "the address it comes from (\(address?.description ?? "unknown")); to let it in, "
                + "name it in tls_names at the destination"
        case .listed(let listed):
            if names.match(anyOf: listed) { return .passed }
            expected = "any name in the destination's tls_names"
        }
        return .refused(.wrongName(peer: peer, expected: expected, found: names.all))
    }
}

/// What came of looking at names.
enum NameCheck {
    /// The peer is who it should be.
    case passed
    /// It is not: nothing may be said to it.
    case failed(TLSError)
    /// It is not, and is to be told so.
    case refused(TLSError)
}
