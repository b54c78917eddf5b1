import Intrinsics

/// The first port of a virtio console: gets a copy of every line. Lines that find no room are
/// dropped, since nobody may be listening.
final class ConsoleDevice {
    private static let lineSize = 512

    private let output: Virtqueue
    private let buffers: UInt64
    private var isFree = [16 of Bool](repeating: true)
    private let lock = Lock()

    /// Nil: the device does not come up.
    init?(_ device: VirtioDevice, _ memory: PhysicalMemory) {
        // Queue 0 brings input, which nobody needs; but it must exist before 1 does.
        guard device.negotiate(0) != nil,
            device.queue(0, sizeLimit: 16, memory, nil) != nil,
            let output = device.queue(1, sizeLimit: 16, memory, nil),
            let buffers = memory.allocateZeroed(UInt64(16 * Self.lineSize))
        else { return nil }
        self.output = output
        self.buffers = buffers
        device.start()
    }

    func write(_ line: borrowing Line) {
        lock.acquire()
        defer { lock.release() }
        while let (head, _) = output.take() { if head < 16 { isFree[head] = true } }
        for slot in 0..<min(16, Int(output.size)) where isFree[slot] {
            let buffer = buffers + UInt64(slot * Self.lineSize)
            for index in 0..<line.count {
                pointer(buffer, to: UInt8.self)[index] = line.bytes[index]
            }
            isFree[slot] = false
            output.setDescriptor(slot, address: buffer, length: UInt32(line.count))
            output.offer(slot)
            return output.kick()
        }
    }
}
