public import LinuxSystem

/// Why a call over the API socket failed.
public enum APIClientError: Error, Equatable, Sendable {
    /// Nobody answers at the socket, or the connection broke.
    case connection(SystemError)
    /// The VMM refused the call, or failed to carry it out; `reasons` are its own words.
    case refused(status: Int, reasons: [String])
    /// The VMM closed the connection before it answered.
    case closed(path: String)
    /// What answers does not speak this API.
    case unexpectedAnswer(path: String, reason: String)
}

extension APIClientError: CustomStringConvertible {
    /// One sentence for a person.
    public var description: String {
        switch self {
        case .connection(let error):
            switch error.errno {
            case .noSuchFile, .connectionRefused:
                "\(error); is the VMM running with this --api-socket?"
            default: "\(error)"
            }
        case .refused(_, let reasons):
            reasons.joined(separator: ": ")
        case .closed(let path):
            "The VMM at \(path) closed the connection before it answered"
        case .unexpectedAnswer(let path, let reason):
            "What answers at \(path) is not the API of a VMM: \(reason)"
        }
    }
}
