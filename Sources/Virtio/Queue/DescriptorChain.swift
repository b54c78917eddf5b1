public import GuestMemory

/// One request of a driver: what the device may read, and what it may write.
public struct DescriptorChain: ~Copyable {
    /// The first descriptor, by which the driver knows the request.
    public internal(set) var head: UInt16 = 0

    /// The buffers that the driver has filled.
    public var readable: BufferList

    /// The buffers that the device fills.
    public var writable: BufferList

    /// An empty request, for `Virtqueue.next` to fill.
    public init(memory: GuestRAM) {
        readable = BufferList(memory: memory)
        writable = BufferList(memory: memory)
    }

    mutating func removeAll() {
        readable.removeAll()
        writable.removeAll()
    }
}
