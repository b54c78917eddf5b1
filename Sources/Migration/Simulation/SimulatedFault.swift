public import Machine

/// Something that goes wrong in a simulated migration, at one step of one process.
///
/// Steps are counted per process: each call of its hardware and each operation on a connection is
/// one. So every message boundary and every hardware step can be hit, one after the other.
public struct SimulatedFault: Hashable, Sendable, CustomStringConvertible {
    /// The two processes.
    public enum Place: String, Hashable, Sendable, CaseIterable {
        /// The process that has the guest at the beginning.
        case source
        /// The process that shall have it.
        case destination
    }

    /// What goes wrong.
    public enum Kind: Hashable, Sendable {
        /// A hardware step fails; nothing happens at a step on a connection.
        case hardwareFailure
        /// All connections break.
        case lostPeer
        /// Part of what this step sends arrives, then the connections break.
        case truncatedMessage
        /// Nothing arrives in either direction for so many seconds, and nobody can connect.
        case stall(seconds: UInt64)
        /// A bit of the contents of memory that this step sends is flipped on the way; nothing
        /// happens to a message without contents. Not among `kinds`: without checksums or
        /// verification nobody can notice.
        case damagedContents
        /// The answer that this step receives becomes Error.
        case errorReply
        /// The user calls the migration off at this end.
        case cancel
        /// The process is killed.
        case kill
        /// The guest does this to its whole machine, if it runs at this end.
        case guestEvent(GuestEvent)
    }

    /// Where.
    public var place: Place
    /// At which step of that process, from 1.
    public var step: Int
    /// What.
    public var kind: Kind

    /// A fault from its parts.
    public init(place: Place, step: Int, kind: Kind) {
        self.place = place
        self.step = step
        self.kind = kind
    }

    /// Every kind, with a stall shorter and one longer than both ends' patience.
    public static let kinds: [Kind] = [
        .hardwareFailure, .lostPeer, .truncatedMessage, .stall(seconds: 1), .stall(seconds: 100),
        .errorReply, .cancel, .kill,
    ]

    /// What a guest can do to its whole machine.
    public static let guestEvents: [Kind] = [
        .guestEvent(.reset), .guestEvent(.shutdown),
        .guestEvent(.crashed(description: "a triple fault")),
    ]

    /// For the report of a run that broke a rule.
    public var description: String { "\(kind) at step \(step) of the \(place)" }
}
