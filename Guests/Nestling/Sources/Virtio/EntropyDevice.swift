import Intrinsics

/// The entropy device: asked once, at the start, to see that it works.
enum EntropyDevice {
    private static let size: UInt32 = 64
    private static let patience: UInt64 = 1000

    /// Asks for some bytes and returns how many came. Nil: the device does not come up, or does not
    /// answer within a second.
    static func read(
        _ device: VirtioDevice, _ memory: PhysicalMemory, _ clock: Clock
    ) -> UInt64? {
        guard device.negotiate(0) != nil,
            let queue = device.queue(0, sizeLimit: 8, memory, nil),
            let buffer = memory.allocateZeroed(UInt64(size))
        else { return nil }
        device.start()
        queue.setDescriptor(0, address: buffer, length: size, flags: Virtqueue.Flags.write)
        queue.offer(0)
        queue.kick()
        for _ in 0..<patience {
            if let (_, length) = queue.take() { return UInt64(length) }
            clock.spin(microseconds: 1000)
        }
        return nil
    }
}
