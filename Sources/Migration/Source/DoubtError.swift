/// Why a person's word on a doubt is not taken.
public enum DoubtError: Error, Equatable, Sendable {
    /// No source here is in doubt about its guest.
    case noDoubt
    /// The guest has run at the destination, on the memory that both ends share: what this end knows
    /// of its CPUs and devices is stale for ever.
    case guestHasRun
}

extension DoubtError: CustomStringConvertible {
    /// One sentence: what is so, and what can be done.
    public var description: String {
        switch self {
        case .noDoubt:
            "There is no doubt to resolve: vm.migration-progress is not at in-doubt"
        case .guestHasRun:
            "The guest has run at the destination on the memory that both ends share and cannot be "
                + "taken back; only owner=destination can be said"
        }
    }
}
