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
