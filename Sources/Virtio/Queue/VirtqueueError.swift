public import GuestMemory

/// What a driver did wrong with a virtqueue. The device stops and asks for a reset; the guest can
/// harm nothing but itself.
public enum VirtqueueError: Error, Equatable, Sendable {
    /// The size is 0, no power of two, or larger than the device allows.
    case invalidSize(UInt16, maximum: UInt16)
    /// A ring is not aligned as the specification asks.
    case misaligned(ring: String, GuestAddress)
    /// An access lies outside RAM.
    case outsideMemory(GuestMemoryError)
    /// More buffers are said to be available than the queue has room for.
    case availableIndexAhead(by: UInt16, size: UInt16)
    /// A descriptor number is not below the size of its table.
    case descriptorOutOfRange(UInt16, size: Int)
    /// The descriptors of one chain form a loop, or are more than `limit`.
    case chainTooLong(limit: Int)
    /// The buffers of one chain have more bytes than 32 bits count.
    case chainTooLarge
    /// A buffer for reading comes after one for writing.
    case readableAfterWritable
    /// An indirect descriptor where none is allowed: not negotiated, within another table, or with
    /// a next descriptor.
    case unexpectedIndirect
    /// A request lacks what its kind of device needs to answer it at all.
    case malformedRequest(String)
    /// The length of an indirect table is 0, no multiple of 16, or too large.
    case invalidIndirectTable(length: UInt32)
}

extension VirtqueueError: CustomStringConvertible {
    /// One sentence for the log.
    public var description: String {
        switch self {
        case .invalidSize(let size, let maximum):
            "The queue has size \(size), which is no power of two up to \(maximum)"
        case .misaligned(let ring, let address):
            "The \(ring) at \(address) is not aligned"
        case .outsideMemory(let cause):
            "The driver names memory that is not there: \(cause)"
        case .availableIndexAhead(let count, let size):
            "The driver offers \(count) buffers in a queue of size \(size)"
        case .descriptorOutOfRange(let index, let size):
            "The driver names descriptor \(index) in a table of \(size)"
        case .chainTooLong(let limit):
            "A chain of descriptors is a loop or has more than \(limit) of them"
        case .chainTooLarge:
            "The buffers of one chain have more than 4 GiB"
        case .readableAfterWritable:
            "A buffer for reading follows one for writing"
        case .unexpectedIndirect:
            "A descriptor is indirect where it must not be"
        case .malformedRequest(let reason):
            "The driver sent a request \(reason)"
        case .invalidIndirectTable(let length):
            "A table of indirect descriptors has \(length) bytes"
        }
    }
}
