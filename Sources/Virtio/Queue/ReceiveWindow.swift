internal import GuestMemory
internal import LinuxSystem

/// Requests that were taken from a queue of empty buffers before it is known what comes: the room
/// for one packet, which one request may not have. What is not filled stays for the next packet,
/// so that each request is taken once.
struct ReceiveWindow: ~Copyable {
    /// One request.
    private struct Offer {
        let head: UInt16
        let bufferCount: Int
        let byteCount: Int
    }

    /// Buffers at most, so that one call of the kernel takes them all.
    private static let maximumBufferCount = 1000

    private(set) var buffers: BufferList
    private var chain: DescriptorChain
    private var offers: [Offer] = []
    /// How many of the first offers were returned.
    private var removed = 0

    init(memory: GuestRAM) {
        buffers = BufferList(memory: memory)
        chain = DescriptorChain(memory: memory)
    }

    /// How many requests are in hand.
    var count: Int { offers.count - removed }

    /// The room of all of them, in bytes.
    var byteCount: Int { buffers.byteCount }

    /// Whether no more requests fit into one call of the kernel.
    var isFull: Bool { buffers.bufferCount >= Self.maximumBufferCount }

    /// Takes requests until there is room for `room` bytes, as far as the driver has offered them.
    ///
    /// - Parameter least: what each of them must have room for.
    mutating func gather(
        _ room: Int, least: Int, from ring: inout Virtqueue
    ) throws(VirtqueueError) {
        while byteCount < room, !isFull, try ring.next(into: &chain) {
            guard chain.writable.byteCount >= least else {
                throw .malformedRequest(
                    "with room for \(chain.writable.byteCount) bytes where at least \(least) are "
                        + "needed")
            }
            offers.append(
                Offer(
                    head: chain.head, bufferCount: chain.writable.bufferCount,
                    byteCount: chain.writable.byteCount))
            buffers.append(chain.writable)
        }
    }

    /// Takes one request, if there is none in hand.
    mutating func gatherOne(least: Int, from ring: inout Virtqueue) throws(VirtqueueError) {
        if count == 0 { try gather(1, least: least, from: &ring) }
    }

    /// Reads a packet into the buffers, and what does not fit into `bounce`.
    ///
    /// - Returns: its length.
    mutating func fill(
        by file: borrowing OwnedDescriptor, spillingInto bounce: BounceBuffer
    ) throws(SystemError) -> Int {
        try buffers.fill(by: file, spillingInto: bounce)
    }

    /// How many requests a packet takes that fits.
    func requestCount(for length: Int) -> Int {
        var room = 0
        var count = 0
        for offer in offers[removed...] where room < length {
            room += offer.byteCount
            count += 1
        }
        return count
    }

    /// Returns to the driver, all at once, the requests that a packet fills.
    mutating func complete(_ length: Int, _ ring: inout Virtqueue) throws(VirtqueueError) {
        var left = length
        var staged: UInt16 = 0
        while left > 0, removed < offers.count {
            let offer = offers[removed]
            let written = min(left, offer.byteCount)
            try ring.stage(head: offer.head, written: UInt32(clamping: written), ahead: staged)
            staged += 1
            left -= written
            removed += 1
            buffers.removeFirst(offer.bufferCount, byteCount: offer.byteCount)
        }
        try ring.publish(staged)
        guard removed > count else { return }
        offers.removeFirst(removed)
        removed = 0
    }

    /// Gives all requests in hand back to the queue.
    mutating func putBack(to ring: inout Virtqueue) {
        ring.putBack(UInt16(clamping: count))
        offers.removeAll(keepingCapacity: true)
        removed = 0
        buffers.removeAll()
    }
}
