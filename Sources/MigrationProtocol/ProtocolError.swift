/// Why a message or event does not fit the state of the migration.
///
/// Before the point of no return each of these ends the migration with the guest at the source.
public enum ProtocolError: Error, Equatable, Sendable {
    /// The peer sent, or this end was about to send, a command that the state does not allow.
    case unexpectedCommand(Command, state: String)
    /// Something happened at this end that the state does not allow.
    case unexpectedEvent(String, state: String)
    /// The command belongs to an extension that was not agreed on.
    case notNegotiated(Command)
    /// A request came, or was about to be sent, while the one before it has no answer yet.
    case answerPending(Command)
    /// A message that must come before this command has not come.
    case missing(String, before: Command)
    /// A message came once more that may come once only.
    case repeated(Command)
    /// The session token was used before.
    case tokenReused
    /// The guest may run at the destination by now, so it cannot be called back.
    case pastPointOfNoReturn
    /// The shared flag says that the guest has run at the destination: what the source holds is
    /// stale for ever.
    case guestHasRun
    /// Bytes from the peer are no valid frame.
    case frame(FrameError)
    /// A range table from the peer is not valid.
    case range(RangeError)
}

extension ProtocolError {
    /// Runs `decode` and turns its error into one of this type.
    static func wrapping<Value>(
        _ decode: () throws(FrameError) -> Value
    ) throws(ProtocolError) -> Value {
        do { return try decode() } catch { throw .frame(error) }
    }
}

extension ProtocolError: CustomStringConvertible {
    /// One sentence: what happened, in which state.
    public var description: String {
        switch self {
        case .unexpectedCommand(let command, let state):
            "\(command) is not allowed in the state \(state) of a migration."
        case .unexpectedEvent(let event, let state):
            "\(event) is not possible in the state \(state) of a migration."
        case .notNegotiated(let command):
            "\(command) belongs to an extension that was not agreed on."
        case .answerPending(let command):
            "The answer to \(command) is still due."
        case .missing(let what, let command):
            "\(what) must come before \(command)."
        case .repeated(let command):
            "\(command) came a second time."
        case .tokenReused:
            "The session token was used by an earlier migration; start a new one."
        case .pastPointOfNoReturn:
            "The migration is past its point of no return: the guest may run at the destination."
        case .guestHasRun:
            "The guest has run at the destination; the state at the source is stale."
        case .frame(let error):
            error.description
        case .range(let error):
            error.description
        }
    }
}
