import Intrinsics

/// A virtio network card with one pair of queues and no offloads.
final class NetworkDevice {
    /// Room for the longest frame.
    static let frameSize = 1514
    private static let addressFeature: UInt64 = 1 << 5
    private static let headerSize = 12
    private static let slotSize = 2048

    let address: HardwareAddress
    private let received: Virtqueue
    private let sent: Virtqueue
    private let receiveBuffers: UInt64
    private let sendBuffers: UInt64
    private var freeSlots = [64 of UInt8](repeating: 0)
    private var freeCount = 0

    /// Nil: the device does not come up.
    init?(_ device: VirtioDevice, _ memory: PhysicalMemory, _ vectors: Vectors) {
        guard let features = device.negotiate(Self.addressFeature),
            let received = device.queue(0, sizeLimit: 64, memory, vectors),
            let sent = device.queue(1, sizeLimit: 64, memory, nil),
            let receiveBuffers = memory.allocateZeroed(UInt64(64 * Self.slotSize)),
            let sendBuffers = memory.allocateZeroed(UInt64(64 * Self.slotSize))
        else { return nil }
        self.received = received
        self.sent = sent
        self.receiveBuffers = receiveBuffers
        self.sendBuffers = sendBuffers
        if features & Self.addressFeature != 0 {
            address = HardwareAddress { mmio_read8(device.configuration + UInt64($0)) }
        } else {
            address = HardwareAddress { $0 == 0 ? 2 : UInt8($0) }
        }
        for slot in 0..<Int(received.size) {
            received.setDescriptor(
                slot, address: receiveBuffers + UInt64(slot * Self.slotSize),
                length: UInt32(Self.slotSize), flags: Virtqueue.Flags.write)
            received.offer(slot)
        }
        for slot in 0..<Int(sent.size) {
            freeSlots[slot] = UInt8(slot)
            freeCount += 1
        }
        device.start()
        received.kick()
    }

    /// Calls `body` with one frame that came, and gives its buffer back. False: none came.
    func receive(_ body: (Bytes) -> Void) -> Bool {
        guard let (slot, length) = received.take() else { return false }
        guard slot < Int(received.size) else { return true }
        if length > Self.headerSize && length <= Self.slotSize {
            let start = receiveBuffers + UInt64(slot * Self.slotSize + Self.headerSize)
            body(Bytes(start: pointer(start, to: UInt8.self), count: length - Self.headerSize))
        }
        received.offer(slot)
        return true
    }

    /// Tells the device about buffers that `receive` gave back.
    func refill() { received.kick() }

    /// Sends a frame that `body` writes; it returns the length. False: no buffer is free.
    func send(_ body: (Bytes) -> Int) -> Bool {
        while let (slot, _) = sent.take() {
            guard slot < Int(sent.size), freeCount < 64 else { continue }
            freeSlots[freeCount] = UInt8(slot)
            freeCount += 1
        }
        guard freeCount > 0 else { return false }
        freeCount -= 1
        let slot = Int(freeSlots[freeCount])
        let buffer = sendBuffers + UInt64(slot * Self.slotSize)
        let frame = buffer + UInt64(Self.headerSize)
        let count = body(Bytes(start: pointer(frame, to: UInt8.self), count: Self.frameSize))
        sent.setDescriptor(slot, address: buffer, length: UInt32(Self.headerSize + count))
        sent.offer(slot)
        sent.kick()
        return true
    }
}
