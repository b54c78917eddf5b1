/// Why a call failed, as the client is told: a status, and an array of texts in the body.
public struct APIFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// The status.
    public var status: Status
    /// The reasons, from the outermost to the root; at least one.
    public var reasons: [String]

    /// The statuses of failures.
    public enum Status: UInt16, Sendable {
        /// The request is wrong.
        case badRequest = 400
        /// There is no such path, no guest, or no such device.
        case notFound = 404
        /// Two devices share a name.
        case conflict = 409
        /// It did not work, or not in the state that the guest is in.
        case internalError = 500
        /// Too many clients at once.
        case unavailable = 503
    }

    /// A failure with its reasons, from the outermost to the root.
    public init(_ status: Status, _ reasons: String...) {
        self.init(status, reasons: reasons)
    }

    /// A failure with its reasons, from the outermost to the root.
    public init(_ status: Status, reasons: [String]) {
        self.status = status
        self.reasons = reasons.isEmpty ? ["The call failed"] : reasons
    }

    /// The reasons in one line.
    public var description: String { reasons.joined(separator: ": ") }
}

extension APIFailure {
    /// A body that is refused.
    public init(_ error: SchemaError, of endpoint: Endpoint) {
        let status: Status
        switch error {
        case .duplicate: status = .conflict
        case .malformed, .unknownField, .unsupported, .wrongType, .missing, .invalid:
            status = .badRequest
        }
        self.init(status, "The body of \(endpoint.rawValue) is refused", "\(error)")
    }
}
