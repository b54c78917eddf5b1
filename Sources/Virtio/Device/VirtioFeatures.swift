/// A set of feature bits, of the transport or of a kind of device (virtio 1.2, section 2.2).
public struct VirtioFeatures: OptionSet, Hashable, Sendable {
    /// The bits as numbered by the specification.
    public let rawValue: UInt64

    /// Bits as numbered by the specification.
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// The feature with this bit number, 0 to 63.
    public init(bit: UInt64) {
        rawValue = 1 << bit
    }

    /// Tables of descriptors outside the queue.
    public static let indirectDescriptors = VirtioFeatures(bit: 28)
    /// Interrupts and notifications are asked for by position.
    public static let eventIndex = VirtioFeatures(bit: 29)
    /// The device is one of virtio 1; every driver here must agree to it.
    public static let version1 = VirtioFeatures(bit: 32)

    /// What every device offers beside its own features.
    static let ofAllDevices: VirtioFeatures = [.indirectDescriptors, .eventIndex, .version1]
}

/// How far a driver has come with a device (virtio 1.2, section 2.1).
public struct DeviceStatus: OptionSet, Hashable, Sendable {
    /// The bits of the status register.
    public let rawValue: UInt8

    /// The bits of the status register.
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// The driver has seen the device.
    public static let acknowledge = DeviceStatus(rawValue: 1)
    /// The driver knows how to drive it.
    public static let driver = DeviceStatus(rawValue: 2)
    /// The driver uses the queues.
    public static let driverOK = DeviceStatus(rawValue: 4)
    /// Both sides agree on the features.
    public static let featuresOK = DeviceStatus(rawValue: 8)
    /// The device cannot go on until it is reset.
    public static let needsReset = DeviceStatus(rawValue: 0x40)
    /// The driver has given up.
    public static let failed = DeviceStatus(rawValue: 0x80)
}
