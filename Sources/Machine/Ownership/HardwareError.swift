/// Why a machine could not do what a migration or its owner asked of it.
///
/// It carries the finished sentence, because it comes from any layer below (a vCPU, a disk's
/// lock, a tap) and goes to people, logs and the peer, never back into decisions.
public struct HardwareError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was being done.
    public enum Operation: String, Sendable {
        /// Building a machine from its configuration.
        case configure
        /// Stopping the vCPUs and devices.
        case stop
        /// Starting the vCPUs and devices.
        case start
        /// Reading which pages were written.
        case trackDirtyPages
        /// Taking the state of vCPUs and devices.
        case saveState
        /// Putting the state into a new machine.
        case loadState
        /// Letting go of backends at the source.
        case release
        /// Taking backends back at the source.
        case reclaim
        /// Taking backends over at the destination.
        case takeOver
    }

    /// What was being done when it failed.
    public let operation: Operation

    /// One sentence that names the object, the reason and what can be done.
    public let description: String

    /// An error of one operation, with its sentence.
    public init(_ operation: Operation, _ description: String) {
        self.operation = operation
        self.description = description
    }

    /// An error of one operation, caused by the error of a layer below.
    public init(_ operation: Operation, cause: any Error) {
        self.operation = operation
        self.description = String(describing: cause)
    }
}
