internal import Machine

/// Where the structures of a virtio PCI device lie in its only memory range, and the capabilities
/// that tell a driver so (virtio 1.2, section 4.1.4).
///
/// Each structure has a page of its own, so that a guest can map them apart.
enum VirtioPCILayout {
    /// Vendor of all virtio devices.
    static let vendor: UInt16 = 0x1AF4
    /// The device identifiers of virtio 1 count on from here by kind.
    static let firstDevice: UInt16 = 0x1040

    /// The range: a register of 64 bits, so that a guest may place it above 4 GiB.
    static let range = BaseAddressRegister(index: 0, width: .bits64, size: 0x8000)

    static let common: Range<UInt64> = 0x0000..<0x0038
    static let interruptStatus: Range<UInt64> = 0x1000..<0x1001
    static let device: Range<UInt64> = 0x2000..<0x3000
    static let notification: Range<UInt64> = 0x3000..<0x4000
    static let vectors: Range<UInt64> = 0x4000..<0x5000
    static let pending: Range<UInt64> = 0x5000..<0x6000

    /// Bytes between the notification addresses of two queues.
    static let notificationStride: UInt64 = 4
    /// The most queues that a device has: each has a notification address and a vector.
    static let maximumQueueCount = MSIXTable.maximumCount - 1

    /// Identifier of a vendor's capability.
    private static let vendorCapability: UInt8 = 0x09

    /// The structures by the numbers that capabilities give them.
    private enum Structure: UInt8 {
        case common = 1
        case notification = 2
        case interruptStatus = 3
        case device = 4
        case configurationAccess = 5
    }

    /// Adds the capabilities of all structures.
    ///
    /// - Returns: the offset of the one through which a driver reaches the range without mapping it.
    static func appendCapabilities(to space: inout ConfigurationSpace) -> Int {
        append(.common, common, to: &space)
        append(.notification, notification, extra: UInt32(notificationStride), to: &space)
        append(.interruptStatus, interruptStatus, to: &space)
        append(.device, device, to: &space)
        // The driver chooses register, offset and length, and then uses the data field.
        return space.appendCapability(
            vendorCapability, contents: contents(.configurationAccess, 0..<0, extra: 0),
            writable: [0, 0, 0xFF, 0, 0, 0] + Array(repeating: 0xFF, count: 8))
    }

    private static func append(
        _ structure: Structure, _ range: Range<UInt64>, extra: UInt32? = nil,
        to space: inout ConfigurationSpace
    ) {
        space.appendCapability(
            vendorCapability, contents: contents(structure, range, extra: extra))
    }

    /// The capability's length, the structure, the register 0, padding, offset, length, and a
    /// doubleword more for some.
    private static func contents(
        _ structure: Structure, _ range: Range<UInt64>, extra: UInt32?
    ) -> [UInt8] {
        let words = [UInt32(range.lowerBound), UInt32(range.upperBound - range.lowerBound)]
        let all = words + (extra.map { [$0] } ?? [])
        return [UInt8(8 + 4 * all.count), structure.rawValue, 0, 0, 0, 0]
            + all.flatMap { word in
                (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * UInt32($0))) }
            }
    }
}

extension VirtioDeviceKind {
    /// Class code of the PCI function: what a guest without a virtio driver takes it for.
    var classCode: UInt32 {
        switch self {
        case .network: 0x02_00_00
        case .block: 0x01_80_00
        case .console: 0x07_80_00
        case .entropy: 0xFF_00_00
        }
    }

    /// What the function says it is.
    var identity: PCIIdentity {
        PCIIdentity(
            vendor: VirtioPCILayout.vendor, device: VirtioPCILayout.firstDevice + rawValue,
            classCode: classCode, revision: 1, subsystemVendor: VirtioPCILayout.vendor,
            subsystem: VirtioPCILayout.firstDevice + rawValue)
    }
}
