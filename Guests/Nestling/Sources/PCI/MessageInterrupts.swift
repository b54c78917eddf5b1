import Intrinsics

/// The MSI-X table of one function. All interrupts go to the boot processor.
struct MessageInterrupts {
    static let capability: UInt32 = 0x11
    private static let enable: UInt32 = 1 << 31
    private static let maskAll: UInt32 = 1 << 30

    let count: Int
    private let table: UInt64
    private let function: Function
    private let offset: UInt32

    /// - Parameter offset: where the capability is. Nil: its table cannot be reached.
    init?(_ function: Function, at offset: UInt32) {
        count = Int(function.read32(offset) >> 16 & 0x7ff) + 1
        let place = function.read32(offset + 4)
        guard let region = function.region(place & 7) else { return nil }
        table = region + UInt64(place & ~7)
        self.function = function
        self.offset = offset
    }

    /// Switches messages on; every entry is still masked.
    func start() {
        function.write32(offset, function.read32(offset) & ~Self.maskAll | Self.enable)
    }

    /// Sends the interrupts of one entry to `vector`.
    func route(entry: Int, to vector: UInt32) {
        let address = table + UInt64(entry) * 16
        mmio_write32(address, 0xfee0_0000 | LocalAPIC.currentIdentifier << 12)
        mmio_write32(address + 4, 0)
        mmio_write32(address + 8, vector)
        mmio_write32(address + 12, 0)
    }
}

/// Hands out interrupt vectors, from the first of those that entry code exists for.
final class Vectors {
    private var used: UInt32 = 0

    /// A vector that nobody else has. Nil: none is left, so the queue is polled.
    func next() -> UInt32? {
        guard used < UInt32(VECTOR_DEVICE_COUNT) else { return nil }
        used += 1
        return UInt32(VECTOR_FIRST_DEVICE) + used - 1
    }
}
