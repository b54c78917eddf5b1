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
