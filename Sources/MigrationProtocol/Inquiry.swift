/// The question of a source in doubt: does the guest of this session run at your end?
///
/// It is all that the source sends on a connection of its own: the role and the token, 18 bytes.
public struct Inquiry: Equatable, Sendable {
    /// The session that is asked after.
    public let token: SessionToken

    /// An inquiry after the session of `token`.
    public init(token: SessionToken) {
        self.token = token
    }

    /// The role and the token.
    public var encoded: [UInt8] { ConnectionRole.inquiry.encoded + token.encoded }
}

/// What a destination says about a session.
public enum InquiryAnswer: Equatable, Sendable {
    /// The guest is the destination's, for ever.
    case running
    /// No guest instruction ran at the destination and none will in this session.
    case returned(EndReason)
    /// The destination is about to decide, or does not know the session. It frees nobody.
    case unknown

    /// Reads the answer from its header and the `textByteCount(of:)` bytes after it.
    public init(decoding response: Response, text: Span<UInt8>) throws(FrameError) {
        switch response.status {
        case .running: self = .running
        case .returned: self = .returned(try EndReason(fields: response.fields, text: text))
        case .unknown: self = .unknown
        case .ok, .error: throw .unknownStatus(response.status.rawValue)
        }
    }

    /// How many bytes of text follow `response`.
    public static func textByteCount(of response: Response) throws(FrameError) -> Int {
        response.status == .returned ? try Text.byteCount(response.length) : 0
    }

    /// What the destination sends.
    public var answer: Answer {
        switch self {
        case .running: .running
        case .returned(let reason): .returned(reason)
        case .unknown: .unknown
        }
    }
}
