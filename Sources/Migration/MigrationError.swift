public import ContentCoding
public import Machine
public import MigrationProtocol
public import Transport

/// Why a migration failed. Where the guest is then is said by the outcome, not by the error.
public enum MigrationError: Error, Equatable, Sendable {
    /// The connection failed, or the peer fell silent.
    case transport(TransportError)

    /// The peer sent what makes no sense at this point.
    case invalidMessage(ProtocolError)

    /// The machine at this end failed.
    case hardware(HardwareError)

    /// The peer ended it, for this reason.
    case endedByPeer(EndReason)

    /// Somebody at this end called it off.
    case cancelled(String)

    /// Pre-copy did not converge in time.
    case timeout(seconds: UInt64)

    /// The first pass over all memory took as long as pre-copy may.
    case tooSlow(seconds: UInt64, sentBytes: UInt64)

    /// The time for pre-copy ended while the destination had been silent for so long.
    case unanswered(milliseconds: UInt64, timeoutSeconds: UInt64)

    /// Contents are others than those that were sent; this is where they begin.
    case wrongChecksum(MemoryRange)

    /// Compressed contents cannot be read; this is where they belong.
    case damagedContents(MemoryRange, ContentError)

    /// Guest memory at the destination is not what it is at the source.
    case differingMemory(MemoryRange)

    /// The guest would have stood still for too long.
    case blackoutLimit(milliseconds: UInt64)

    /// The guest cannot be moved in this way.
    case unsupported(String)

    /// What the source sent is no configuration.
    case invalidConfiguration(String)

    /// The guest ran at a destination which is dead; shared memory cannot go back.
    case guestLost(EndReason)

    /// The guest is this end's again, but a backend could not be taken back.
    case backendsNotTakenBack(HardwareError, after: String)

    /// A person decided that the guest runs at the destination.
    case givenUpByOperator

    /// The change of owner could not be written down, so it did not happen.
    case journal(JournalError)
}

extension MigrationError: CustomStringConvertible {
    /// One sentence: what failed, why, what can be done.
    public var description: String {
        switch self {
        case .transport(let error): error.description
        case .invalidMessage(let error): error.description
        case .hardware(let error): error.description
        case .endedByPeer(let reason): "The other end ended the migration: \(reason.text)"
        case .cancelled(let reason): "The migration was cancelled: \(reason)"
        case .timeout(let seconds):
            "The guest writes faster than its memory can be sent: pre-copy did not converge "
                + "within \(seconds) s; allow a longer downtime_ms, or use timeout_strategy=ignore"
        case .tooSlow(let seconds, let bytes):
            "Sending the guest's memory for the first time (\(bytes) bytes so far) took all of the "
                + "\(seconds) s: the connection is too slow for that; allow a longer timeout_s, or "
                + "use timeout_strategy=ignore"
        case .unanswered(let milliseconds, let seconds):
            "The destination had not answered for \(milliseconds) ms when the \(seconds) s of "
                + "timeout_s were over; look whether its VMM and the network are alive"
        case .wrongChecksum(let range):
            "Contents of guest memory arrived damaged (the checksum of \(range) is wrong): "
                + "something on the way changes data; look at network cards and memory, or use TLS"
        case .damagedContents(let range, let error):
            "Contents of guest memory at \(range) arrived damaged: \(error)"
        case .differingMemory(let range):
            "Guest memory differs between both ends somewhere in \(range): the guest stays where it "
                + "is; look at network cards and memory, use checksums=on or TLS, and report it"
        case .blackoutLimit(let milliseconds):
            "The guest would have stood still for more than \(milliseconds) ms; allow a longer "
                + "downtime_ms, or use timeout_strategy=ignore"
        case .unsupported(let reason): reason
        case .invalidConfiguration(let reason):
            "The configuration from the source cannot be used: \(reason)"
        case .guestLost(let reason):
            "The guest ran at the destination, on shared memory, and is lost: \(reason.text)"
        case .backendsNotTakenBack(let error, let reason):
            "The migration failed (\(reason)), and a backend could not be taken back: \(error)"
        case .givenUpByOperator:
            "The answer of the destination was lost; the operator said that the guest runs there"
        case .journal(let error): "The guest stays with its source: \(error)"
        }
    }

    /// The reason as the peer is told.
    var endReason: EndReason {
        switch self {
        case .transport(.cancelled(let reason)), .cancelled(let reason):
            EndReason(.cancelled, reason)
        case .endedByPeer(let reason), .guestLost(let reason): reason
        case .transport: EndReason(.connectionLost, description)
        default: EndReason(.failed, description)
        }
    }

    /// The error behind a broken connection: a cancellation is none.
    init(_ error: TransportError) {
        if case .cancelled(let reason) = error {
            self = .cancelled(reason)
        } else {
            self = .transport(error)
        }
    }
}
