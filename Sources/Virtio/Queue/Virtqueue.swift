public import GuestMemory
internal import Synchronization

/// The device's side of one split virtqueue (virtio 1.2, section 2.7).
///
/// All that it reads in the guest's RAM was written by a driver which may be broken or hostile and
/// may change it at any time: each value is read once into a local, checked, and used from there.
/// Errors leave the guest's memory as it is, and the queue is not used any more.
public struct Virtqueue: ~Copyable, Sendable {
    /// Where a device is in the rings. Both numbers count on without end, modulo 65536.
    public struct Position: Hashable, Sendable {
        /// The next entry of the available ring to take.
        public var available: UInt16
        /// The next entry of the used ring to write.
        public var used: UInt16

        /// Where a queue starts after a reset.
        public static let start = Position(available: 0, used: 0)

        /// Any position.
        public init(available: UInt16, used: UInt16) {
            self.available = available
            self.used = used
        }
    }

    /// Descriptors of one chain at most, those of an indirect table included. Drivers stay far
    /// below it; it bounds the work that one request can ask for.
    public static let maximumChainLength = 1024

    let memory: GuestRAM
    let layout: VirtqueueLayout
    let allowsIndirect: Bool
    private let usesEventIndex: Bool

    /// Where the device is in the rings now.
    public private(set) var position: Position

    /// The used position at the last decision about an interrupt; nil asks for one in any case.
    private var usedWhenDecided: UInt16?

    /// A queue that a driver has set up, or one that goes on at a saved position.
    ///
    /// - Parameters:
    ///   - layout: checked here.
    ///   - maximumSize: the largest size that the device offers.
    ///   - features: those that device and driver have agreed on.
    public init(
        layout: VirtqueueLayout, maximumSize: UInt16, features: VirtioFeatures,
        position: Position = .start, memory: GuestRAM
    ) throws(VirtqueueError) {
        try layout.validate(maximumSize: maximumSize, in: memory)
        self.layout = layout
        self.memory = memory
        self.position = position
        allowsIndirect = features.contains(.indirectDescriptors)
        usesEventIndex = features.contains(.eventIndex)
    }

    /// Takes the next request, if there is one.
    ///
    /// - Parameter chain: filled with the request.
    /// - Returns: false when the driver has offered nothing more.
    public mutating func next(into chain: inout DescriptorChain) throws(VirtqueueError) -> Bool {
        guard try availableCount() > 0 else { return false }
        let head = try load(UInt16.self, at: layout.availableEntry(position.available))
        chain.removeAll()
        chain.head = head
        try walk(from: head, into: &chain)
        position.available &+= 1
        return true
    }

    /// Gives the requests that were taken last back to the queue, to be taken again.
    public mutating func putBack(_ count: UInt16 = 1) {
        position.available &-= count
    }

    /// Returns a request to the driver.
    ///
    /// - Parameters:
    ///   - head: the request's first descriptor.
    ///   - written: the bytes that the device wrote to its buffers.
    public mutating func complete(head: UInt16, written: UInt32) throws(VirtqueueError) {
        try stage(head: head, written: written, ahead: 0)
        try publish(1)
    }

    /// Writes the used entry `ahead` places after the next one without telling the driver.
    mutating func stage(head: UInt16, written: UInt32, ahead: UInt16) throws(VirtqueueError) {
        let entry = layout.usedEntry(position.used &+ ahead)
        try store(UInt64(head) | UInt64(written) << 32, at: entry)
    }

    /// Tells the driver of staged entries, all at once.
    mutating func publish(_ count: UInt16) throws(VirtqueueError) {
        position.used &+= count
        do throws(GuestMemoryError) {
            try memory.storeReleasing(position.used, at: layout.usedRing.plus(2))
        } catch {
            throw .outsideMemory(error)
        }
    }

    /// Whether the driver wants an interrupt for what was returned since this was asked last.
    public mutating func needsInterrupt() throws(VirtqueueError) -> Bool {
        // The driver writes its wish and then looks at the used index; the device does it the
        // other way round. Without the barrier both could miss the other's write.
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        guard usesEventIndex else {
            return try load(UInt16.self, at: layout.availableRing) & 1 == 0
        }
        let event = try load(UInt16.self, at: layout.usedEvent)
        let now = position.used
        defer { usedWhenDecided = now }
        guard let before = usedWhenDecided else { return true }
        return now &- event &- 1 < now &- before
    }

    /// Asks the driver to notify the device of the next request.
    ///
    /// - Returns: whether there are requests already, which it may not have notified of.
    public mutating func enableNotifications() throws(VirtqueueError) -> Bool {
        if usesEventIndex {
            try store(position.available, at: layout.availableEvent)
        } else {
            try store(0 as UInt16, at: layout.usedRing)
        }
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        return try availableCount() > 0
    }

    /// Tells the driver that the device looks at the queue anyway. With an event index nothing
    /// need be said: the position that the device asked for lies behind.
    public mutating func disableNotifications() throws(VirtqueueError) {
        if !usesEventIndex { try store(1 as UInt16, at: layout.usedRing) }
    }

    /// How many requests the driver has offered that were not taken.
    private func availableCount() throws(VirtqueueError) -> UInt16 {
        let index: UInt16
        do throws(GuestMemoryError) {
            index = try memory.loadAcquiring(at: layout.availableRing.plus(2))
        } catch {
            throw .outsideMemory(error)
        }
        let count = index &- position.available
        guard count <= layout.size else {
            throw .availableIndexAhead(by: count, size: layout.size)
        }
        return count
    }

    @inline(__always)
    func load<Value: FixedWidthInteger & Sendable>(
        _ type: Value.Type, at address: GuestAddress
    ) throws(VirtqueueError) -> Value {
        do throws(GuestMemoryError) {
            return try memory.load(type, at: address)
        } catch {
            throw .outsideMemory(error)
        }
    }

    @inline(__always)
    private func store<Value: FixedWidthInteger & Sendable>(
        _ value: Value, at address: GuestAddress
    ) throws(VirtqueueError) {
        do throws(GuestMemoryError) {
            try memory.store(value, at: address)
        } catch {
            throw .outsideMemory(error)
        }
    }
}
