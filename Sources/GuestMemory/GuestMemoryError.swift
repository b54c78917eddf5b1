public import LinuxSystem

/// Why guest memory could not be made or accessed.
public enum GuestMemoryError: Error, Equatable, Sendable {
    /// No single region of RAM holds the whole range.
    case outsideMemory(address: GuestAddress, length: UInt64)

    /// A ring index or similar value is not aligned to its size.
    case misaligned(address: GuestAddress, size: Int)

    /// A region of a layout is empty, not a multiple of its pages, overlaps another or wraps.
    case invalidLayout(RegionLayout, reason: LayoutFault)

    /// The kernel refused memory; for huge pages the pool may be too small.
    case allocation(bytes: UInt64, hugePages: HugePageSize?, SystemError)

    /// No memory file was handed over for a slot.
    case fileMissing(slot: UInt32)

    /// A memory file handed over by a peer is shorter than the region that it should back.
    case fileTooShort(slot: UInt32, needed: UInt64, actual: UInt64)

    /// A descriptor handed over by a peer cannot be used as memory.
    case handover(slot: UInt32, SystemError)
}

/// What is wrong with a layout of regions.
public enum LayoutFault: String, Hashable, Sendable {
    /// A region has no bytes.
    case empty = "it is empty"
    /// Start, size or file offset is no multiple of the page size.
    case unaligned = "it is not a multiple of the page size"
    /// The end lies beyond the address space.
    case wraps = "it passes the end of the address space"
    /// It shares addresses with the region before it, or comes before it.
    case overlaps = "it overlaps the region before it or is out of order"
    /// Another region has the same memory slot.
    case repeatedSlot = "its memory slot is used twice"
}

extension GuestMemoryError: CustomStringConvertible {
    /// One sentence: the object, what failed, what can be done.
    public var description: String {
        switch self {
        case .outsideMemory(let address, let length):
            "Guest address \(address) with \(length) bytes is not inside one region of RAM"
        case .misaligned(let address, let size):
            "Guest address \(address) is not aligned to \(size) bytes"
        case .invalidLayout(let region, let fault):
            "Memory region at \(region.start) in slot \(region.slot) cannot be used: "
                + fault.rawValue
        case .allocation(let bytes, nil, let cause):
            "\(bytes) bytes of guest memory cannot be allocated: \(cause)"
        case .allocation(let bytes, .some, let cause) where cause.advice != nil:
            "\(bytes) bytes of guest memory cannot be allocated in huge pages: \(cause)"
        case .allocation(let bytes, .some(let size), let cause):
            "\(bytes) bytes of guest memory cannot be allocated in huge pages: \(cause); "
                + size.advice(for: Int(clamping: bytes))
        case .fileMissing(let slot):
            "No memory file was received for slot \(slot)"
        case .fileTooShort(let slot, let needed, let actual):
            "The memory file received for slot \(slot) has \(actual) bytes where "
                + "\(needed) are needed"
        case .handover(let slot, let cause):
            "The memory file received for slot \(slot) cannot be used: \(cause)"
        }
    }
}
