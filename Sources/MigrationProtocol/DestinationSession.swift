/// The largest payloads that a destination accepts.
public struct DestinationLimits: Equatable, Sendable {
    /// Ranges in one table.
    public let ranges: Int
    /// Bytes of State, and of back-end state.
    public let stateBytes: Int

    /// Limits; above the hard ones of `Limits` they are lowered to those.
    public init(
        ranges: Int = Limits.maximumRanges, stateBytes: Int = Limits.defaultStateBytes
    ) {
        self.ranges = min(max(ranges, 0), Limits.maximumRanges)
        self.stateBytes = min(max(stateBytes, 0), Limits.maximumStateBytes)
    }
}

/// What a destination knows of its source: what was agreed on, and what came before Config.
struct DestinationSession: Equatable {
    var extensions: Extensions = []
    var token: SessionToken?
    var descriptorCount = 0
    var hasRunFlag = false

    var hasOwnership: Bool { extensions.contains(.ownership) }
}
