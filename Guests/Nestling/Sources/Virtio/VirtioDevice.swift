import Intrinsics

/// A virtio device over PCI, version 1.
final class VirtioDevice {
    /// What a device is, by its virtio number.
    enum Kind: UInt32 {
        case network = 1
        case block = 2
        case console = 3
        case entropy = 4
    }

    private enum Status {
        static let acknowledge: UInt8 = 1
        static let driver: UInt8 = 2
        static let driverReady: UInt8 = 4
        static let featuresAccepted: UInt8 = 8
        static let failed: UInt8 = 128
    }

    /// Offsets in the common configuration.
    private enum Common {
        static let deviceFeatureSelect: UInt64 = 0
        static let deviceFeature: UInt64 = 4
        static let driverFeatureSelect: UInt64 = 8
        static let driverFeature: UInt64 = 12
        static let status: UInt64 = 20
        static let queueSelect: UInt64 = 22
        static let queueSize: UInt64 = 24
        static let queueVector: UInt64 = 26
        static let queueEnable: UInt64 = 28
        static let queueNotifyOffset: UInt64 = 30
        static let queueDescriptors: UInt64 = 32
        static let queueAvailable: UInt64 = 40
        static let queueUsed: UInt64 = 48
    }

    private static let vendor: UInt32 = 0x1af4
    private static let version1: UInt64 = 1 << 32
    private static let vendorCapability: UInt32 = 9
    private static let noVector: UInt16 = 0xffff

    let kind: Kind
    /// Where the device's own configuration is.
    private(set) var configuration: UInt64 = 0
    private var common: UInt64 = 0
    private var notification: UInt64 = 0
    private var notificationMultiplier: UInt64 = 0
    private var interrupts: MessageInterrupts?
    /// Entries of the message table in use.
    private var routed = 0

    /// Takes over a function. Nil: it is no virtio device, of no kind that is used, or too old.
    init?(_ function: Function) {
        guard function.vendor == Self.vendor else { return nil }
        let device = function.device
        // Transitional devices have their number as subsystem.
        let number = device >= 0x1040 ? device - 0x1040 : function.subsystem
        guard device >= 0x1000, device < 0x1080, let kind = Kind(rawValue: number) else {
            return nil
        }
        self.kind = kind
        var messageCapability: UInt32?
        function.forEachCapability { number, offset in
            if number == Self.vendorCapability { takeCapability(function, offset) }
            if number == MessageInterrupts.capability { messageCapability = offset }
        }
        guard common != 0, notification != 0 else { return nil }
        interrupts = messageCapability.flatMap { MessageInterrupts(function, at: $0) }
        function.enable()
        interrupts?.start()
    }

    /// Resets the device and agrees on features.
    ///
    /// - Parameter wanted: what the driver can use beside version 1.
    /// - Returns: what both can; nil when the device refuses.
    func negotiate(_ wanted: UInt64) -> UInt64? {
        status = 0
        while status != 0 { spin_pause() }
        status = Status.acknowledge | Status.driver
        var offered: UInt64 = 0
        for half: UInt32 in 0..<2 {
            mmio_write32(common + Common.deviceFeatureSelect, half)
            offered |= UInt64(mmio_read32(common + Common.deviceFeature)) << UInt64(half * 32)
        }
        let accepted = offered & (wanted | Self.version1)
        for half: UInt32 in 0..<2 {
            mmio_write32(common + Common.driverFeatureSelect, half)
            mmio_write32(
                common + Common.driverFeature,
                UInt32(truncatingIfNeeded: accepted >> UInt64(half * 32)))
        }
        guard accepted & Self.version1 != 0 else { return fail() }
        status |= Status.featuresAccepted
        return status & Status.featuresAccepted != 0 ? accepted : fail()
    }

    /// Sets up one queue. Nil: the device has no such queue, or no memory is left.
    ///
    /// - Parameter vectors: where the queue gets a vector of its own from, if the device has
    ///   messages; nil: the queue is polled.
    func queue(
        _ index: UInt16, sizeLimit: UInt16, _ memory: PhysicalMemory, _ vectors: Vectors?
    ) -> Virtqueue? {
        mmio_write16(common + Common.queueSelect, index)
        let size = min(mmio_read16(common + Common.queueSize), sizeLimit)
        guard size > 0, let queue = Virtqueue(index: index, size: size, memory) else { return nil }
        mmio_write16(common + Common.queueSize, size)
        if let vectors, let vector = routeMessages(vectors) {
            queue.waitForMessages(Processor.messages(vector))
        } else {
            mmio_write16(common + Common.queueVector, Self.noVector)
            queue.poll()
        }
        write64(common + Common.queueDescriptors, queue.descriptors)
        write64(common + Common.queueAvailable, queue.available)
        write64(common + Common.queueUsed, queue.used)
        let offset = UInt64(mmio_read16(common + Common.queueNotifyOffset))
        queue.doorbell = notification + offset * notificationMultiplier
        mmio_write16(common + Common.queueEnable, 1)
        return queue
    }

    /// Sends the messages of the selected queue to a vector of its own. Nil: the device has no
    /// messages, or none are left.
    private func routeMessages(_ vectors: Vectors) -> UInt32? {
        guard let interrupts, routed < interrupts.count, let vector = vectors.next() else {
            return nil
        }
        interrupts.route(entry: routed, to: vector)
        mmio_write16(common + Common.queueVector, UInt16(routed))
        guard mmio_read16(common + Common.queueVector) == UInt16(routed) else { return nil }
        routed += 1
        return vector
    }

    /// Lets the device work.
    func start() { status |= Status.driverReady }

    private var status: UInt8 {
        get { mmio_read8(common + Common.status) }
        set { mmio_write8(common + Common.status, newValue) }
    }

    private func fail() -> UInt64? {
        status |= Status.failed
        return nil
    }

    private func takeCapability(_ function: Function, _ offset: UInt32) {
        let type = function.read32(offset) >> 24
        guard type == 1 || type == 2 || type == 4 else { return }
        guard let region = function.region(function.read32(offset + 4) & 0xff) else { return }
        let address = region + UInt64(function.read32(offset + 8))
        switch type {
        case 1: common = address
        case 2:
            notification = address
            notificationMultiplier = UInt64(function.read32(offset + 16))
        default: configuration = address
        }
    }

    private func write64(_ address: UInt64, _ value: UInt64) {
        mmio_write32(address, UInt32(truncatingIfNeeded: value))
        mmio_write32(address + 4, UInt32(truncatingIfNeeded: value >> 32))
    }
}
