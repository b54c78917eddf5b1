/// What happened in a migration and when, as one end saw it.
///
/// It is bounded however long the migration takes (`TimelineRecorder`). All times are nanoseconds
/// since the migration began, on the clock of this end.
public struct MigrationTimeline: Hashable, Sendable {
    /// A step was entered.
    public struct Step: Hashable, Sendable {
        /// The step.
        public var phase: MigrationProgress.Phase
        /// When.
        public var at: UInt64
    }

    /// A pass over memory, or neighbouring ones that were put together.
    public struct Round: Hashable, Sendable {
        /// The number of the first, from 0.
        public var number: UInt64
        /// How many they are.
        public var count: UInt64 = 1
        /// When the first began.
        public var at: UInt64
        /// How long they took.
        public var nanoseconds: UInt64
        /// Pages that were to be sent.
        public var pages: UInt64
        /// Bytes of content that were sent; pages of zeros have none.
        public var bytes: UInt64
        /// Bytes of pages that the guest wrote to meanwhile; nil while it stands still.
        public var dirtiedBytes: UInt64?
    }

    /// Where the migration stood at one moment.
    public struct Sample: Hashable, Sendable {
        /// When.
        public var at: UInt64
        /// Bytes of memory that were sent or received.
        public var bytesSent: UInt64
        /// Bytes of those that did not go over the wire because they were compressed.
        public var bytesSaved: UInt64 = 0
        /// Bytes of memory that were told as zeros instead of being sent.
        public var bytesZero: UInt64 = 0
        /// Bytes that the round still had to send.
        public var bytesRemaining: UInt64
        /// Rate at which the guest wrote to pages, from the last round.
        public var dirtyBytesPerSecond: UInt64
        /// The blackout if the guest had been paused, in milliseconds; nil before the rate is known.
        public var predictedBlackoutMilliseconds: UInt64?
        /// The share of time for which vCPUs were held back.
        public var throttlePercent: UInt64
        /// Connections that carried memory.
        public var connections: UInt64
    }

    /// Something that was decided, in words.
    public struct Note: Hashable, Sendable {
        /// When.
        public var at: UInt64
        /// What.
        public var text: String
    }

    /// The time in which no vCPU ran, as far as this end takes part in it.
    public struct Blackout: Hashable, Sendable {
        /// What was done, in lower case with dashes, and how long it took.
        public struct Part: Hashable, Sendable {
            /// What was done.
            public var name: String
            /// How long it took.
            public var nanoseconds: UInt64
        }

        /// When it began.
        public var at: UInt64
        /// The parts that have ended, in their order.
        public var parts: [Part] = []

        /// All parts together.
        public var nanoseconds: UInt64 { parts.reduce(0) { $0 &+ $1.nanoseconds } }
    }

    /// When the migration began, in nanoseconds since 1970-01-01 00:00 UTC; nil before.
    public var beganAt: UInt64?
    /// The steps, in their order.
    public var steps: [Step] = []
    /// The rounds, in their order; at the source only.
    public var rounds: [Round] = []
    /// Moments, in their order.
    public var samples: [Sample] = []
    /// What was decided, in its order.
    public var notes: [Note] = []
    /// Notes for which there was no room.
    public var missingNotes: UInt64 = 0
    /// The guest's blackout, once it began.
    public var blackout: Blackout?

    /// Nothing has happened.
    public init() {}
}
