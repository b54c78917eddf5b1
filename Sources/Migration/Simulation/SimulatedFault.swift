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

    /// When.
    public enum Moment: Hashable, Sendable {
        /// At a step of the process, from 1.
        case step(Int)
        /// So many nanoseconds after the beginning, in the middle of whatever happens then. Only
        /// for faults that need no step to hit: see `Kind.needsStep`.
        case time(UInt64)
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
        /// A defect: at a hardware step, pages that the guest wrote to are forgotten.
        case forgottenPages
        /// A defect: at a hardware step, a descriptor is opened and never closed.
        case leakedDescriptor
        /// A defect: a hardware step never ends.
        case endlessStep

        /// Whether it spoils what a step does, instead of befalling the process at any time.
        public var needsStep: Bool {
            switch self {
            case .hardwareFailure, .truncatedMessage, .errorReply, .damagedContents,
                .forgottenPages, .leakedDescriptor, .endlessStep:
                true
            case .lostPeer, .stall, .cancel, .kill, .guestEvent: false
            }
        }
    }

    /// Where.
    public var place: Place
    /// When.
    public var moment: Moment
    /// What.
    public var kind: Kind

    /// A fault from its parts.
    public init(place: Place, moment: Moment, kind: Kind) {
        self.place = place
        self.moment = moment
        self.kind = kind
    }

    /// A fault at a step.
    public init(place: Place, step: Int, kind: Kind) {
        self.init(place: place, moment: .step(step), kind: kind)
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

    /// What correct engines cannot make good, but the rules must notice.
    public static let defects: [Kind] = [.forgottenPages, .leakedDescriptor, .endlessStep]

    /// For the report of a run that broke a rule.
    public var description: String {
        switch moment {
        case .step(let step): "\(kind) at step \(step) of the \(place)"
        case .time(let nanoseconds): "\(kind) after \(nanoseconds) ns at the \(place)"
        }
    }
}
