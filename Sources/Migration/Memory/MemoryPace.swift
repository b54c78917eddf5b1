import LinuxSystem
import Transport

/// How fast and how long memory may be sent, as a memory connection asks for it. All connections of
/// a migration share what is behind it.
struct MemoryPace: Sendable {
    /// Whether the destination still needs what is in memory, and there is time for it.
    var isMemoryWanted: @Sendable () -> Bool
    /// The largest batch, in bytes.
    var largestBatch: @Sendable () -> UInt64
    /// Waits until so many bytes may be sent.
    var awaitTurn: @Sendable (UInt64) -> Void
    /// Notes an answer of the destination.
    var noteAnswer: @Sendable () -> Void

    var batchBytes: UInt64 { largestBatch() }
}
