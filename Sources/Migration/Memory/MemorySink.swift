import LinuxSystem
import MigrationProtocol

/// Where a sender's batches go.
///
/// A batch is begun and finished apart from each other: while the destination works through the
/// rest of one, the sender looks for the pages of the next.
protocol MemorySink {
    /// How many bytes of content a batch shall have.
    var batchBytes: UInt64 { get }

    /// Whether the destination still needs what is in memory.
    var isMemoryWanted: Bool { get }

    /// Sends ranges with contents, once there is room for them on the way. Both may be changed
    /// when this returns.
    func begin(
        _ table: MemoryRangeTable, _ contents: [MemorySegment]
    ) throws(MigrationError)

    /// Sends ranges of zeros, once there is room for them on the way.
    func beginZeros(_ table: MemoryRangeTable) throws(MigrationError)

    /// Waits until the destination has all that was begun.
    func finish() throws(MigrationError)
}
