internal import GuestMemory

/// What a driver has written to the registers of the common configuration. A plain value; the
/// transport acts on it.
struct TransportRegisters {
    /// What a driver has set for one queue.
    struct Queue {
        var layout: VirtqueueLayout
        var isEnabled = false

        init(maximumSize: UInt16) {
            layout = VirtqueueLayout(
                size: maximumSize, descriptorTable: GuestAddress(0), availableRing: GuestAddress(0),
                usedRing: GuestAddress(0))
        }
    }

    var deviceFeatureSelect: UInt32 = 0
    var driverFeatureSelect: UInt32 = 0
    var driverFeatures = VirtioFeatures()
    var queueSelect: UInt16 = 0
    var queues: [Queue]

    /// The registers after a reset.
    init(queueSizes: [UInt16]) {
        queues = queueSizes.map { Queue(maximumSize: $0) }
    }

    /// The number of the chosen queue, if there is such a queue.
    var selectedQueue: Int? {
        queues.indices.contains(Int(queueSelect)) ? Int(queueSelect) : nil
    }

    /// Writes the chosen half of the driver's features.
    mutating func setDriverFeatures(_ bits: UInt32) {
        let shift: UInt64
        switch driverFeatureSelect {
        case 0: shift = 0
        case 1: shift = 32
        default: return
        }
        let others = driverFeatures.rawValue & ~(0xFFFF_FFFF << shift)
        driverFeatures = VirtioFeatures(rawValue: others | UInt64(bits) << shift)
    }

    /// A 32-bit half of a set of features.
    static func half(_ select: UInt32, of features: VirtioFeatures) -> UInt32 {
        switch select {
        case 0: UInt32(truncatingIfNeeded: features.rawValue)
        case 1: UInt32(truncatingIfNeeded: features.rawValue >> 32)
        default: 0
        }
    }
}

extension GuestAddress {
    /// The address with 4 or 8 of its bytes written.
    func writing(_ value: UInt64, offset: Int, width: Int) -> GuestAddress {
        if width == 8 { return GuestAddress(value) }
        let shift = UInt64(offset * 8)
        let mask: UInt64 = 0xFFFF_FFFF << shift
        return GuestAddress(rawValue & ~mask | (value << shift) & mask)
    }
}
