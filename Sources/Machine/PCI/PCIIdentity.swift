/// Who a PCI function says it is: the read-only identification of its header.
public struct PCIIdentity: Hashable, Sendable {
    /// Vendor identifier.
    public var vendor: UInt16

    /// Device identifier, in the vendor's numbering.
    public var device: UInt16

    /// Base class, subclass and programming interface, as in `0x01_80_00`.
    public var classCode: UInt32

    /// Revision of the device.
    public var revision: UInt8

    /// Subsystem vendor identifier.
    public var subsystemVendor: UInt16

    /// Subsystem identifier, in the subsystem vendor's numbering.
    public var subsystem: UInt16

    /// The identification of a function.
    public init(
        vendor: UInt16, device: UInt16, classCode: UInt32, revision: UInt8 = 0,
        subsystemVendor: UInt16 = 0, subsystem: UInt16 = 0
    ) {
        self.vendor = vendor
        self.device = device
        self.classCode = classCode
        self.revision = revision
        self.subsystemVendor = subsystemVendor
        self.subsystem = subsystem
    }
}
