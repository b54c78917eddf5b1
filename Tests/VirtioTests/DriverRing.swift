import GuestMemory

@testable import Virtio

/// The driver's side of a split virtqueue in a guest's RAM, as simple as it can be.
struct DriverRing {
    /// A buffer of a request.
    struct Buffer {
        var address: UInt64
        var length: UInt32
        var isWritable: Bool

        static func readable(_ address: UInt64, _ length: UInt32) -> Buffer {
            Buffer(address: address, length: length, isWritable: false)
        }

        static func writable(_ address: UInt64, _ length: UInt32) -> Buffer {
            Buffer(address: address, length: length, isWritable: true)
        }
    }

    struct Used: Equatable {
        var head: UInt32
        var written: UInt32
    }

    let memory: GuestRAM
    let layout: VirtqueueLayout
    var available: UInt16 = 0
    var seen: UInt16 = 0
    var nextDescriptor: UInt16 = 0

    init(memory: GuestRAM, at base: UInt64, size: UInt16) {
        self.memory = memory
        layout = Self.layout(at: base, size: size)
    }

    static func layout(at base: UInt64, size: UInt16) -> VirtqueueLayout {
        let table = 16 * UInt64(size)
        let available = (6 + 2 * UInt64(size) + 3) & ~3
        return VirtqueueLayout(
            size: size, descriptorTable: GuestAddress(base),
            availableRing: GuestAddress(base + table),
            usedRing: GuestAddress(base + table + available))
    }

    static func memory(size: UInt64 = 1 << 20) throws -> GuestRAM {
        try GuestRAM(
            layout: [RegionLayout(slot: 0, start: GuestAddress(0), size: size, fileOffset: 0)],
            backing: .sharedFile(hugePages: nil))
    }

    func virtqueue(
        features: VirtioFeatures = [.version1], position: Virtqueue.Position = .start
    ) throws -> Virtqueue {
        try Virtqueue(
            layout: layout, maximumSize: 1024, features: features, position: position,
            memory: memory)
    }

    func writeDescriptor(
        _ index: UInt16, address: UInt64, length: UInt32, flags: UInt16, next: UInt16,
        table: GuestAddress? = nil
    ) throws {
        let place = (table ?? layout.descriptorTable).plus(16 * UInt64(index))
        try memory.store(address, at: place)
        try memory.store(length, at: place.plus(8))
        try memory.store(flags, at: place.plus(12))
        try memory.store(next, at: place.plus(14))
    }

    /// Writes a chain and puts it into the available ring without telling the device.
    @discardableResult
    mutating func stage(_ buffers: [Buffer]) throws -> UInt16 {
        let head = nextDescriptor
        for (offset, buffer) in buffers.enumerated() {
            let isLast = offset == buffers.count - 1
            let index = nextDescriptor
            nextDescriptor = (nextDescriptor + 1) % layout.size
            try writeDescriptor(
                index, address: buffer.address, length: buffer.length,
                flags: (isLast ? 0 : 1) | (buffer.isWritable ? 2 : 0), next: nextDescriptor)
        }
        try stageHead(head)
        return head
    }

    mutating func stageHead(_ head: UInt16) throws {
        try memory.store(head, at: layout.availableEntry(available))
        available &+= 1
    }

    /// Lets the device see what was staged.
    func publish() throws {
        try memory.storeReleasing(available, at: layout.availableRing.plus(2))
    }

    /// Offers one request.
    @discardableResult
    mutating func offer(_ buffers: [Buffer]) throws -> UInt16 {
        let head = try stage(buffers)
        try publish()
        return head
    }

    /// What the device has returned since the last call.
    mutating func takeUsed() throws -> [Used] {
        var found: [Used] = []
        let index = try memory.loadAcquiring(at: layout.usedRing.plus(2))
        while seen != index {
            let entry = layout.usedEntry(seen)
            found.append(
                Used(
                    head: try memory.load(UInt32.self, at: entry),
                    written: try memory.load(UInt32.self, at: entry.plus(4))))
            seen &+= 1
        }
        return found
    }

    /// Asks for an interrupt once the used position has passed `position`.
    func setUsedEvent(_ position: UInt16) throws {
        try memory.store(position, at: layout.usedEvent)
    }

    var availableEvent: UInt16 {
        get throws { try memory.load(UInt16.self, at: layout.availableEvent) }
    }
}
