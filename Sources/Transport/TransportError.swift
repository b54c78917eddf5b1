public import LinuxSystem

/// Why bytes or descriptors did not reach the peer, or the peer was not reached at all.
public enum TransportError: Error, Equatable, Sendable {
    /// The text is no URL of a migration.
    case invalidURL(String, reason: String)

    /// The endpoint is beyond loopback, and plain TCP was not allowed there.
    case plainTCPRefused(String)

    /// The listener was closed.
    case notListening(MigrationURL)

    /// The URL could not be connected to or listened on.
    case unreachable(MigrationURL, SystemError)

    /// No byte moved for the longest time that a peer may be silent.
    case silent(peer: String, seconds: Int)

    /// Bytes moved, but so few that the message would take for ever.
    case tooSlow(peer: String)

    /// The time that was left for the operation as a whole is over.
    case deadlinePassed(peer: String)

    /// This end called it off.
    case cancelled(reason: String)

    /// The peer closed the connection between two messages.
    case closed(peer: String)

    /// The peer closed the connection, or it broke, in the middle of a message.
    case truncated(peer: String)

    /// The peer answered before it had the whole message: it does not want the rest.
    case answeredEarly(peer: String)

    /// The connection cannot carry descriptors.
    case descriptorsUnsupported(peer: String)

    /// A message came without the descriptor that belongs to it.
    case descriptorMissing(peer: String)

    /// A message came with descriptors that do not belong to it; they were closed.
    case unexpectedDescriptors(peer: String)

    /// The connection could not be protected, or the protection failed.
    case tls(TLSError)

    /// The kernel refused the operation, or the connection broke.
    case system(peer: String, SystemError)
}

extension TransportError: CustomStringConvertible {
    /// One sentence: the peer, what failed, what can be done.
    public var description: String {
        switch self {
        case .invalidURL(let text, let reason):
            "'\(text)' is no migration URL: \(reason); "
                + "write tcp:<host>:<port> or unix:<path>"
        case .plainTCPRefused(let address):
            "Plain TCP to or from \(address) is refused, because anyone on the way could read "
                + "and change the guest; use an address of this host, or start the VMM with "
                + "--allow-plain-tcp on a network that is trusted"
        case .notListening(let url):
            "Nobody waits at \(url) any more"
        case .unreachable(let url, let cause):
            "\(url) cannot be used: \(cause)"
        case .silent(let peer, let seconds):
            "\(peer) has been silent for \(seconds) s"
        case .tooSlow(let peer):
            "\(peer) let a message drip, more slowly than any line that could carry a guest"
        case .deadlinePassed(let peer):
            "\(peer) did not answer in the time that was left"
        case .cancelled(let reason):
            "Cancelled: \(reason)"
        case .closed(let peer):
            "\(peer) closed the connection"
        case .truncated(let peer):
            "The connection to \(peer) ended in the middle of a message"
        case .answeredEarly(let peer):
            "\(peer) answered before it had received the whole message"
        case .descriptorsUnsupported(let peer):
            "The connection to \(peer) cannot carry descriptors; use unix:<path>"
        case .descriptorMissing(let peer):
            "\(peer) sent no descriptor where one belongs"
        case .unexpectedDescriptors(let peer):
            "\(peer) sent descriptors where none belong"
        case .tls(let error):
            error.description
        case .system(let peer, let cause):
            "The connection to \(peer) failed: \(cause)"
        }
    }
}
