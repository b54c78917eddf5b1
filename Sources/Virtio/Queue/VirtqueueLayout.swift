public import GuestMemory

/// The size of a split virtqueue and where its three rings are, as a driver has set them (virtio
/// 1.2, section 2.7).
public struct VirtqueueLayout: Hashable, Sendable {
    /// The number of descriptors and ring entries.
    public var size: UInt16
    /// Address of the descriptor table: 16 bytes for each descriptor.
    public var descriptorTable: GuestAddress
    /// Address of the available ring, which the driver writes.
    public var availableRing: GuestAddress
    /// Address of the used ring, which the device writes.
    public var usedRing: GuestAddress

    /// Any values; `validate` tells whether they make a queue.
    public init(
        size: UInt16, descriptorTable: GuestAddress, availableRing: GuestAddress,
        usedRing: GuestAddress
    ) {
        self.size = size
        self.descriptorTable = descriptorTable
        self.availableRing = availableRing
        self.usedRing = usedRing
    }

    /// Checks the size, the alignment, and that the rings are inside RAM.
    public func validate(maximumSize: UInt16, in memory: GuestRAM) throws(VirtqueueError) {
        guard size > 0, size.nonzeroBitCount == 1, size <= maximumSize else {
            throw .invalidSize(size, maximum: maximumSize)
        }
        let count = UInt64(size)
        try check("descriptor table", descriptorTable, alignment: 16, length: 16 * count, memory)
        try check("available ring", availableRing, alignment: 2, length: 6 + 2 * count, memory)
        try check("used ring", usedRing, alignment: 4, length: 6 + 8 * count, memory)
    }

    private func check(
        _ ring: String, _ start: GuestAddress, alignment: UInt64, length: UInt64,
        _ memory: GuestRAM
    ) throws(VirtqueueError) {
        guard start.rawValue.isMultiple(of: alignment) else { throw .misaligned(ring: ring, start) }
        guard let range = GuestRange(start: start, length: length) else {
            throw .outsideMemory(.outsideMemory(address: start, length: length))
        }
        do throws(GuestMemoryError) {
            _ = try memory.segment(range)
        } catch {
            throw .outsideMemory(error)
        }
    }

    /// Address of the entry of the available ring for a position, which counts on without end.
    func availableEntry(_ position: UInt16) -> GuestAddress {
        availableRing.plus(4 + 2 * UInt64(position & (size &- 1)))
    }

    /// Address of the entry of the used ring for a position.
    func usedEntry(_ position: UInt16) -> GuestAddress {
        usedRing.plus(4 + 8 * UInt64(position & (size &- 1)))
    }

    /// Where the driver writes the used position at which it wants an interrupt.
    var usedEvent: GuestAddress { availableRing.plus(4 + 2 * UInt64(size)) }

    /// Where the device writes the available position at which it wants a notification.
    var availableEvent: GuestAddress { usedRing.plus(4 + 8 * UInt64(size)) }
}

extension GuestAddress {
    /// The address `bytes` further up in a range that was checked not to wrap.
    func plus(_ bytes: UInt64) -> GuestAddress { GuestAddress(rawValue &+ bytes) }
}
