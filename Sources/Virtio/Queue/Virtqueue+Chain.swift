internal import GuestMemory

/// One descriptor as it was read.
private struct Descriptor {
    static let size: UInt64 = 16

    let address: GuestAddress
    let length: UInt32
    let next: UInt16
    private let flags: UInt16

    init(address: UInt64, rest: UInt64) {
        self.address = GuestAddress(address)
        length = UInt32(truncatingIfNeeded: rest)
        flags = UInt16(truncatingIfNeeded: rest >> 32)
        next = UInt16(truncatingIfNeeded: rest >> 48)
    }

    var hasNext: Bool { flags & 1 != 0 }
    var isWritable: Bool { flags & 2 != 0 }
    var isIndirect: Bool { flags & 4 != 0 }
}

extension Virtqueue {
    /// Follows a chain of descriptors from its head, through at most one indirect table.
    func walk(from head: UInt16, into chain: inout DescriptorChain) throws(VirtqueueError) {
        var table = layout.descriptorTable
        var tableSize = Int(layout.size)
        var isInIndirectTable = false
        var index = head
        for _ in 0..<Self.maximumChainLength {
            guard Int(index) < tableSize else {
                throw .descriptorOutOfRange(index, size: tableSize)
            }
            let descriptor = try descriptor(index, of: table)
            if descriptor.isIndirect {
                guard allowsIndirect, !isInIndirectTable, !descriptor.hasNext else {
                    throw .unexpectedIndirect
                }
                tableSize = try indirectCount(descriptor)
                table = descriptor.address
                isInIndirectTable = true
                index = 0
                continue
            }
            try append(descriptor, to: &chain)
            guard descriptor.hasNext else { return }
            index = descriptor.next
        }
        throw .chainTooLong(limit: Self.maximumChainLength)
    }

    private func descriptor(
        _ index: UInt16, of table: GuestAddress
    ) throws(VirtqueueError) -> Descriptor {
        // A table of the guest's may pass the end of the address space; then the sum does not lie
        // in RAM either, because RAM never comes near that end.
        let place = table.plus(UInt64(index) * Descriptor.size)
        return Descriptor(
            address: try load(UInt64.self, at: place),
            rest: try load(UInt64.self, at: place.plus(8)))
    }

    private func indirectCount(_ descriptor: Descriptor) throws(VirtqueueError) -> Int {
        let count = Int(descriptor.length) / Int(Descriptor.size)
        guard descriptor.length.isMultiple(of: UInt32(Descriptor.size)),
            (1...Self.maximumChainLength).contains(count)
        else { throw .invalidIndirectTable(length: descriptor.length) }
        guard GuestRange(start: descriptor.address, length: UInt64(descriptor.length)) != nil
        else {
            throw .outsideMemory(
                .outsideMemory(address: descriptor.address, length: UInt64(descriptor.length)))
        }
        return count
    }

    private func append(
        _ descriptor: Descriptor, to chain: inout DescriptorChain
    ) throws(VirtqueueError) {
        if descriptor.isWritable {
            try chain.writable.append(descriptor.address, length: descriptor.length)
        } else {
            guard chain.writable.isEmpty else { throw .readableAfterWritable }
            try chain.readable.append(descriptor.address, length: descriptor.length)
        }
    }
}
