import Intrinsics

/// A virtio disk: requests of one block each, several at a time.
final class BlockDevice {
    /// Bytes in a request.
    static let blockSize = 4096
    static let sectorSize = 512
    private static let flushFeature: UInt64 = 1 << 9
    private static let readOnlyFeature: UInt64 = 1 << 5
    private static let descriptorsPerRequest = 3
    private static let headerSize: UInt64 = 16

    enum Operation: UInt32 {
        case read = 0
        case write = 1
        case flush = 4
    }

    /// In sectors.
    let capacity: UInt64
    let isReadOnly: Bool
    let canFlush: Bool
    /// How many requests can be under way.
    let depth: Int
    private let queue: Virtqueue
    private let headers: UInt64
    private let buffers: UInt64

    /// Nil: the device does not come up.
    init?(_ device: VirtioDevice, _ memory: PhysicalMemory, _ vectors: Vectors) {
        guard let features = device.negotiate(Self.flushFeature | Self.readOnlyFeature),
            let queue = device.queue(0, sizeLimit: 128, memory, vectors)
        else { return nil }
        depth = min(Int(queue.size) / Self.descriptorsPerRequest, 32)
        guard let headers = memory.allocateZeroed(PhysicalMemory.pageSize),
            let buffers = memory.allocateZeroed(UInt64(depth * Self.blockSize))
        else { return nil }
        isReadOnly = features & Self.readOnlyFeature != 0
        canFlush = features & Self.flushFeature != 0
        let low = UInt64(mmio_read32(device.configuration))
        capacity = low | UInt64(mmio_read32(device.configuration + 4)) << 32
        self.queue = queue
        self.headers = headers
        self.buffers = buffers
        device.start()
    }

    /// The contents of a request.
    func buffer(_ slot: Int) -> UnsafeMutablePointer<UInt64> {
        pointer(buffers + UInt64(slot * Self.blockSize), to: UInt64.self)
    }

    /// Starts a request. The slot is busy until `take` returns it.
    func start(_ operation: Operation, slot: Int, sector: UInt64) {
        let header = header(slot)
        let words = pointer(header, to: UInt32.self)
        words[0] = operation.rawValue
        words[1] = 0
        pointer(header + 8, to: UInt64.self).pointee = sector
        pointer(status(slot), to: UInt8.self).pointee = UInt8.max
        let first = slot * Self.descriptorsPerRequest
        let hasData = operation != .flush
        queue.setDescriptor(
            first, address: header, length: UInt32(Self.headerSize), flags: Virtqueue.Flags.next,
            next: UInt16(hasData ? first + 1 : first + 2))
        if hasData {
            let direction = operation == .read ? Virtqueue.Flags.write : 0
            queue.setDescriptor(
                first + 1, address: buffers + UInt64(slot * Self.blockSize),
                length: UInt32(Self.blockSize), flags: direction | Virtqueue.Flags.next,
                next: UInt16(first + 2))
        }
        queue.setDescriptor(
            first + 2, address: status(slot), length: 1, flags: Virtqueue.Flags.write)
        queue.offer(first)
    }

    /// Tells the device about what was started.
    func kick() { queue.kick() }

    /// A request that is complete, and the device's verdict: 0 is good.
    func take() -> (slot: Int, status: UInt8)? {
        guard let (head, _) = queue.take() else { return nil }
        let slot = head / Self.descriptorsPerRequest
        guard slot < depth else { return nil }
        return (slot, mmio_read8(status(slot)))
    }

    private func header(_ slot: Int) -> UInt64 { headers + UInt64(slot) * 32 }
    private func status(_ slot: Int) -> UInt64 { header(slot) + Self.headerSize }
}
