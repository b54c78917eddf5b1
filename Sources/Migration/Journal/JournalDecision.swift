/// A decision about the owner of a guest, as an `OwnershipJournal` keeps it.
///
/// What may make two VMMs run a guest is written before it is done, so that a journal without it
/// proves that it was not done; what has become of that is written afterwards.
public enum JournalDecision: String, CaseIterable, Sendable {
    /// Source: a migration begins; the guest is here.
    case offered
    /// Source: Takeover may be sent from now on.
    case givingAway = "giving-away"
    /// Source: the destination has said that the guest runs there.
    case gaveAway = "gave-away"
    /// Source: the guest is here, with a proof that it runs nowhere else.
    case tookBack = "took-back"
    /// Source: the answer to Takeover was lost.
    case inDoubt = "in-doubt"
    /// Source: a person has said that the guest is here.
    case resolvedToSource = "resolved-to-source"
    /// Source: a person has said that the guest is at the destination.
    case resolvedToDestination = "resolved-to-destination"
    /// Source: the guest ran at a destination that is dead, on shared memory.
    case lost
    /// Destination: a migration begins; the guest is at its source.
    case receiving
    /// Destination: the guest may run here from now on.
    case takingOver = "taking-over"
    /// Destination: it does.
    case tookOver = "took-over"
    /// Destination: no instruction of the guest ran here, and none will.
    case refused

    /// What it means when it is the last word about a migration.
    public var meaning: String {
        switch self {
        case .offered: "the guest was here when this VMM ended, and was never given away"
        case .givingAway:
            "the guest was being given away when this VMM ended: the destination may run it"
        case .gaveAway: "the guest is the destination's"
        case .tookBack: "the guest stayed here"
        case .inDoubt:
            "the destination did not say whether it runs the guest, and nobody has found out"
        case .resolvedToSource: "a person has said that the guest is here"
        case .resolvedToDestination: "a person has said that the guest is the destination's"
        case .lost: "the guest ran at the destination, which died, and is lost"
        case .receiving: "the guest never ran here; this VMM ended while it was on its way"
        case .takingOver: "the guest was being started here when this VMM ended: it may have run"
        case .tookOver: "the guest came here"
        case .refused: "the guest never ran here, and stayed with its source"
        }
    }

    /// Whether it is the first about a migration.
    var isFirst: Bool { self == .offered || self == .receiving }

    /// Whether somebody has to look at the other end before the guest is started anew.
    public var leavesDoubt: Bool {
        self == .givingAway || self == .inDoubt || self == .takingOver
    }
}
