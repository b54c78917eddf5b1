import Intrinsics

/// A split virtqueue. Descriptors have fixed uses, which the driver decides: there is no list of
/// free ones.
final class Virtqueue {
    /// What the device may do with a buffer, and whether the chain goes on.
    enum Flags {
        static let next: UInt16 = 1
        static let write: UInt16 = 2
    }

    private static let noNotification: UInt16 = 1
    private static let noInterrupt: UInt16 = 1

    let index: UInt16
    let size: UInt16
    let descriptors: UInt64
    let available: UInt64
    let used: UInt64
    /// Where to write when something was offered.
    var doorbell: UInt64 = 0
    /// Counts the messages that the device sends for this queue; nil: it is polled.
    private var messages: UnsafePointer<UInt64>?
    private var messagesSeen: UInt64 = 0
    private var isAwake = false
    private var offered: UInt16 = 0
    private var taken: UInt16 = 0

    /// Nil: no memory.
    init?(index: UInt16, size: UInt16, _ memory: PhysicalMemory) {
        let count = UInt64(size)
        guard let descriptors = memory.allocateZeroed(count * 16),
            let available = memory.allocateZeroed(count * 2 + 6),
            let used = memory.allocateZeroed(count * 8 + 6)
        else { return nil }
        self.index = index
        self.size = size
        self.descriptors = descriptors
        self.available = available
        self.used = used
    }

    /// Looks at the queue only after a message, as drivers do: so a message which got lost shows.
    func waitForMessages(_ counter: UnsafePointer<UInt64>) { messages = counter }

    /// Asks the device for no messages, since the queue is polled.
    func poll() { shared_store16(available, Self.noInterrupt) }

    func setDescriptor(
        _ number: Int, address: UInt64, length: UInt32, flags: UInt16 = 0, next: UInt16 = 0
    ) {
        let place = descriptors + UInt64(number) * 16
        pointer(place, to: UInt64.self).pointee = address
        pointer(place + 8, to: UInt32.self).pointee = length
        pointer(place + 12, to: UInt16.self).pointee = flags
        pointer(place + 14, to: UInt16.self).pointee = next
    }

    /// Gives a chain to the device; `kick` tells it.
    func offer(_ head: Int) {
        let slot = available + 4 + UInt64(offered % size) * 2
        pointer(slot, to: UInt16.self).pointee = UInt16(truncatingIfNeeded: head)
        offered &+= 1
        shared_store16(available + 2, offered)
    }

    /// Tells the device, unless it does not want to be told.
    func kick() {
        // The index must be seen before the flag is read, or both sides could wait.
        full_fence()
        if shared_load16(used) & Self.noNotification == 0 { mmio_write16(doorbell, index) }
    }

    /// A chain that the device is done with, and how many bytes it wrote.
    func take() -> (head: Int, length: Int)? {
        guard isAwake || wakes() else { return nil }
        guard shared_load16(used + 2) != taken else {
            isAwake = false
            return nil
        }
        let entry = used + 4 + UInt64(taken % size) * 8
        taken &+= 1
        return (
            Int(pointer(entry, to: UInt32.self).pointee),
            Int(pointer(entry + 4, to: UInt32.self).pointee)
        )
    }

    /// Whether a message came since the queue was last found empty. The count is read before the
    /// queue: what the device adds later brings another message.
    private func wakes() -> Bool {
        if let messages {
            let count = shared_load64(messages)
            guard count != messagesSeen else { return false }
            messagesSeen = count
        }
        isAwake = true
        return true
    }
}
