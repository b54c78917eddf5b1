public import LinuxSystem

/// Why a connection could not be protected with TLS, or the protection of one failed.
///
/// Sources: RFC 8446 (TLS 1.3) sections 4.4.2 and 6, RFC 5280 section 4.1.2.5 (validity), RFC 6125
/// (names).
public enum TLSError: Error, Equatable, Sendable {
    /// A file of the folder cannot be read.
    case unreadable(path: String, SystemError)

    /// A file of the folder is no regular file.
    case notAFile(path: String)

    /// A file has not the PEM content that belongs into it.
    case notPEM(path: String, expected: String)

    /// The key is not the one that the certificate was made for.
    case keyMismatch(certificate: String, key: String)

    /// A certificate is not valid at this time; whose it is, a path or a peer.
    case outsideValidity(of: String, Validity)

    /// The peer's certificate was not issued by the authority that is trusted here.
    case untrusted(peer: String, issuer: String, authority: String)

    /// A certificate may not be used by this end of a connection; whose it is, a path or a peer.
    case wrongPurpose(of: String, needed: Purpose)

    /// The peer's certificate is for other names.
    case wrongName(peer: String, expected: String, found: [String])

    /// The peer has shown no certificate.
    case noCertificate(peer: String)

    /// The peer does not want the certificate of this end.
    case refusedByPeer(peer: String, reason: String)

    /// The peer speaks TLS, but not version 1.3.
    case oldVersion(peer: String)

    /// The peer does not speak TLS.
    case plainPeer(peer: String)

    /// The peer has answered a plain connection with a message of TLS.
    case expectedByPeer(peer: String)

    /// The peer has begun TLS on a plain connection.
    case offeredByPeer(peer: String)

    /// The peer ended the connection before it was protected.
    case endedInHandshake(peer: String)

    /// The peer did not get through the handshake in time.
    case slowHandshake(peer: String, seconds: Int)

    /// What else the library reports.
    case failed(peer: String, reason: String)

    /// TLS is for TCP.
    case needsTCP(String)

    /// The folder's files are fine, but no connection can be protected with them.
    case unusable(folder: String, reason: String)

    /// What a certificate may be used for (RFC 5280 section 4.2.1.12).
    public enum Purpose: String, Sendable {
        /// By the source, which connects.
        case client = "clientAuth"
        /// By the destination, which is connected to.
        case server = "serverAuth"
    }

    /// When a certificate is valid.
    public enum Validity: Hashable, Sendable {
        /// It was, until this many seconds ago.
        case expired(secondsAgo: Int)
        /// It will be, in this many seconds.
        case notYet(inSeconds: Int)
    }

    /// Whether bytes that came over a plain connection begin as an alert of TLS does: record type
    /// 21, version 3.x (RFC 8446 section 5.1).
    public static func isAlert(_ bytes: some Collection<UInt8>) -> Bool {
        bytes.starts(with: [21, 3])
    }

    /// Whether bytes that came over a plain connection begin as a handshake of TLS does: record
    /// type 22, version 3.x.
    public static func isHandshake(_ bytes: some Collection<UInt8>) -> Bool {
        bytes.starts(with: [22, 3])
    }
}

extension TLSError: CustomStringConvertible {
    /// One sentence: what failed, whose fault it is, what can be done.
    public var description: String {
        switch self {
        case .unreadable(let path, let error):
            "The file \(path) of tls_dir cannot be read: \(error)"
        case .notAFile(let path):
            "\(path) of tls_dir is no regular file"
        case .notPEM(let path, let expected):
            "\(path) of tls_dir holds no \(expected) in PEM form"
        case .keyMismatch(let certificate, let key):
            "The key \(key) does not belong to the certificate \(certificate)"
        case .outsideValidity(let owner, .expired(let seconds)):
            "The certificate of \(owner) expired \(duration(seconds)) ago; issue a new one, or "
                + "set the clock"
        case .outsideValidity(let owner, .notYet(let seconds)):
            "The certificate of \(owner) is not valid before \(duration(seconds)) from now; "
                + "compare the clocks"
        case .untrusted(let peer, let issuer, let authority):
            "The certificate of \(peer), issued by '\(issuer)', does not lead to an authority in "
                + "\(authority)"
        case .wrongPurpose(let owner, let needed):
            "The certificate of \(owner) may not be used for this end of a connection: its "
                + "extended key usage lacks \(needed.rawValue)"
        case .wrongName(let peer, let expected, let found):
            "The certificate of \(peer) is not for \(expected); it is for "
                + (found.isEmpty ? "no name at all" : found.joined(separator: ", "))
        case .noCertificate(let peer):
            "\(peer) has shown no certificate; give it a tls_dir with one"
        case .refusedByPeer(let peer, let reason):
            "\(peer) does not accept the certificate of this end: \(reason)"
        case .oldVersion(let peer):
            "\(peer) does not speak TLS 1.3, and nothing older is used"
        case .plainPeer(let peer):
            "\(peer) does not speak TLS; give tls_dir at both ends"
        case .expectedByPeer(let peer):
            "\(peer) expects TLS; give tls_dir at both ends"
        case .offeredByPeer(let peer):
            "\(peer) speaks TLS, which is not expected here; give tls_dir at both ends"
        case .endedInHandshake(let peer):
            "\(peer) ended the connection before it was protected; if it expects no TLS, give "
                + "tls_dir at both ends, otherwise its log says why"
        case .slowHandshake(let peer, let seconds):
            "\(peer) did not get through the TLS handshake within \(seconds) s"
        case .failed(let peer, let reason):
            "TLS with \(peer) failed: \(reason)"
        case .needsTCP(let url):
            "tls_dir is for tcp: URLs, not for \(url), which stays on this host"
        case .unusable(let folder, let reason):
            "The files in \(folder) cannot be used for TLS: \(reason)"
        }
    }

    private func duration(_ seconds: Int) -> String {
        switch seconds {
        case ..<120: "\(seconds) s"
        case ..<7200: "\(seconds / 60) min"
        case ..<172_800: "\(seconds / 3600) h"
        default: "\(seconds / 86400) days"
        }
    }
}
