/// Where a migration stands, as anybody may ask at any time.
public struct MigrationProgress: Hashable, Sendable {
    /// The steps as users see them.
    public enum Phase: String, Sendable, CaseIterable {
        /// A destination waits for its source.
        case listening
        /// The connection is made, both ends agree, the destination builds the machine.
        case connecting
        /// Memory is sent while the guest runs.
        case memory
        /// The guest stands still; the rest of memory and its state are sent.
        case blackout
        /// The source has let go and waits for the destination's word.
        case takeover
        /// The destination's word was lost.
        case inDoubt = "in-doubt"
        /// The guest is the destination's.
        case finished
        /// The guest is the source's.
        case failed
        /// Somebody called it off; the guest is the source's.
        case cancelled
    }

    /// The step.
    public var phase: Phase
    /// The round of pre-copy, from 0.
    public var iteration: UInt64 = 0
    /// Size of the guest's RAM, in bytes.
    public var bytesTotal: UInt64 = 0
    /// Bytes of memory that were sent or received, all rounds together.
    public var bytesSent: UInt64 = 0
    /// Bytes of those that did not go over the wire because they were compressed.
    public var bytesSaved: UInt64 = 0
    /// Bytes of memory that were told as zeros instead of being sent.
    public var bytesZero: UInt64 = 0
    /// Bytes that this round still has to send.
    public var bytesRemaining: UInt64 = 0
    /// Measured rate of sending, in bytes per second; 0 before it is known.
    public var bytesPerSecond: UInt64 = 0
    /// Rate at which the guest writes to pages, in bytes per second, from the last round.
    public var dirtyBytesPerSecond: UInt64 = 0
    /// The blackout if the guest were paused now, in nanoseconds; nil before the rate is known.
    public var predictedBlackoutNanoseconds: UInt64?
    /// Whether the rest would fit into the blackout, and the migration waits to be continued.
    public var isHolding = false
    /// Whether the rounds do not shrink any more.
    public var isStalled = false
    /// The share of time that is taken from vCPUs so that they write less, from 0 to 99.
    public var throttlePercent: UInt64 = 0
    /// Connections that carry memory; 0 where it is handed over.
    public var connections: UInt64 = 0
    /// Time since the start, in milliseconds.
    public var elapsedMilliseconds: UInt64 = 0
    /// Why it ended, where it did not succeed.
    public var failure: String?

    /// Progress at the beginning.
    public init(phase: Phase) {
        self.phase = phase
    }
}
