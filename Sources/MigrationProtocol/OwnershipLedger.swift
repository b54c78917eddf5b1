/// What a destination decided about one session; inquiries are answered with it.
public struct OwnershipRecord: Equatable, Sendable {
    /// The two decisions, each for ever.
    public enum Verdict: Equatable, Sendable {
        /// The guest is this end's.
        case running
        /// No guest instruction ran here and none will in this session.
        case returned(EndReason)
    }

    /// The session.
    public let token: SessionToken
    /// What was decided.
    public let verdict: Verdict
}

/// The decisions that a destination has taken, for as long as its process lives.
///
/// A decision is recorded before it is said and never changes: a second one for the same session is
/// ignored. One process keeps one ledger and lends it to each `DestinationProtocol`.
public struct OwnershipLedger: Equatable, Sendable {
    /// Sessions that are remembered; beyond it the oldest is forgotten, and its source, if it still
    /// is in doubt, is answered unknown.
    public static let capacity = 1024

    private var records: [OwnershipRecord] = []

    /// Whether nothing was decided yet, so that no source can be in doubt about this end.
    public var isEmpty: Bool { records.isEmpty }

    /// An empty ledger.
    public init() {}

    /// Writes down a decision. The first one for a session stands.
    mutating func record(_ verdict: OwnershipRecord.Verdict, for token: SessionToken) {
        guard !contains(token) else { return }
        if records.count == Self.capacity { records.removeFirst() }
        records.append(OwnershipRecord(token: token, verdict: verdict))
    }

    /// Whether the session of `token` was decided here.
    public func contains(_ token: SessionToken) -> Bool {
        records.contains { $0.token == token }
    }

    /// The answer to an inquiry, as long as no migration is under way.
    public func answer(to token: SessionToken) -> InquiryAnswer {
        switch records.last(where: { $0.token == token })?.verdict {
        case .running: .running
        case .returned(let reason): .returned(reason)
        case nil: .unknown
        }
    }
}
