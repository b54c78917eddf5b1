/// The answer of `vm.migration-progress`: how far the running migration is, or how the last one
/// ended. It is Martlet's own; Cloud Hypervisor has no such call.
public struct MigrationProgressReport: Codable, Equatable, Sendable {
    /// The step the migration is at: `listening`, `connecting`, `memory`, `blackout`, `takeover`,
    /// `in-doubt`, `finished`, `failed` or `cancelled`; `none` when there was no migration.
    public var phase: String
    /// Number of the current pass over the memory, from 0.
    public var iteration: UInt64 = 0
    /// Size of the guest's memory in bytes.
    public var bytesTotal: UInt64 = 0
    /// Bytes sent, or received at the destination, so far, with pages sent again.
    public var bytesSent: UInt64 = 0
    /// Bytes of those that did not go over the wire because they were compressed; at the source.
    public var bytesSaved: UInt64 = 0
    /// Bytes of memory that were told as zeros instead of being sent; at the source.
    public var bytesZero: UInt64 = 0
    /// Bytes of memory that are still to send.
    public var bytesRemaining: UInt64 = 0
    /// Bytes per second that pass at present.
    public var rateBytesPerSecond: UInt64 = 0
    /// Bytes per second that the guest dirties.
    public var dirtyRateBytesPerSecond: UInt64 = 0
    /// The blackout there would be if the guest were paused now; unknown before the first pass.
    public var predictedBlackoutMilliseconds: Double?
    /// Whether the guest could be moved now, and `vm.continue-migration` is awaited.
    public var isHolding = false
    /// Whether the passes do not shrink any more, so that the migration will not converge by itself.
    public var isStalled = false
    /// The share of its time that is taken from the guest, because it writes too fast, in percent.
    public var throttlePercent: UInt64 = 0
    /// Connections that carry memory; 0 where it is handed over.
    public var connections: UInt64 = 0
    /// Time since the migration began.
    public var elapsedMilliseconds: Double = 0
    /// How the migration ended, once it has.
    public var result: MigrationResult?

    /// A report with nothing sent yet.
    public init(phase: String) {
        self.phase = phase
    }

    /// The report of a VMM that has neither sent nor received a guest.
    public static let none = MigrationProgressReport(phase: "none")

    private enum CodingKeys: String, CodingKey {
        case phase, iteration
        case bytesTotal = "bytes_total"
        case bytesSent = "bytes_sent"
        case bytesSaved = "bytes_saved"
        case bytesZero = "bytes_zero"
        case bytesRemaining = "bytes_remaining"
        case rateBytesPerSecond = "rate_bytes_per_second"
        case dirtyRateBytesPerSecond = "dirty_rate_bytes_per_second"
        case predictedBlackoutMilliseconds = "predicted_blackout_ms"
        case isHolding = "holding"
        case isStalled = "stalled"
        case throttlePercent = "throttle_percent"
        case connections
        case elapsedMilliseconds = "elapsed_ms"
        case result
    }
}

/// How a migration ended.
public struct MigrationResult: Codable, Equatable, Sendable {
    /// The ways a migration can end.
    public enum Outcome: String, Codable, Sendable {
        /// The guest is at the destination.
        case completed
        /// The guest is where it was, because something went wrong.
        case failed
        /// The guest is where it was, because somebody wished so.
        case cancelled
        /// The source gave the guest away and got no answer: nobody may run it until it is known
        /// which end has it.
        case inDoubt = "in-doubt"
    }

    /// How it ended.
    public var outcome: Outcome
    /// Why it failed, outermost reason first; empty when it did not.
    public var errors: [String] = []
    /// Time from the beginning to the end.
    public var totalMilliseconds: Double = 0
    /// Bytes sent, with pages sent again.
    public var bytesSent: UInt64 = 0
    /// Passes over the memory.
    public var iterations: UInt64 = 0
    /// Time in which no vCPU ran at either end, on the source's clock.
    public var blackoutMilliseconds: Double = 0
    /// The blackout as it was predicted when the guest was paused; absent where nothing was.
    public var predictedBlackoutMilliseconds: Double?
    /// The blackout by phase, in order.
    public var blackoutPhases: [BlackoutPhase] = []

    /// A part of the blackout.
    public struct BlackoutPhase: Codable, Equatable, Sendable {
        /// What was done, in lower case with dashes: `final-memory`.
        public var phase: String
        /// How long it took.
        public var milliseconds: Double

        /// A part that took `milliseconds`.
        public init(phase: String, milliseconds: Double) {
            self.phase = phase
            self.milliseconds = milliseconds
        }

        private enum CodingKeys: String, CodingKey {
            case phase
            case milliseconds = "ms"
        }
    }

    /// An end about which nothing else is known.
    public init(outcome: Outcome) {
        self.outcome = outcome
    }

    private enum CodingKeys: String, CodingKey {
        case outcome, errors, iterations
        case totalMilliseconds = "total_ms"
        case bytesSent = "bytes_sent"
        case blackoutMilliseconds = "blackout_ms"
        case predictedBlackoutMilliseconds = "predicted_blackout_ms"
        case blackoutPhases = "blackout_phases"
    }
}
