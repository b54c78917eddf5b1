/// What a disk is made of.
public struct BlockConfiguration: Hashable, Sendable {
    /// Name of the device.
    public var identifier: String
    /// The image: a regular file or a block device, whose bytes are the disk's.
    public var path: String
    /// The guest may not write, and other processes may read the image, too.
    public var isReadOnly: Bool
    /// The image is read and written past the host's page cache.
    public var isDirect: Bool
    /// The guest may give space back that it does not use.
    public var isSparse: Bool
    /// What the guest sees as serial number; the first 20 bytes of it count.
    public var serial: String
    /// The number of queues, 1 to 254, each with a thread of its own.
    public var queueCount: Int
    /// The size of each queue: a power of two up to 1024.
    public var queueSize: UInt16

    /// A configuration with the usual values for what is not named.
    public init(
        identifier: String, path: String, isReadOnly: Bool = false, isDirect: Bool = false,
        isSparse: Bool = true, serial: String = "", queueCount: Int = 1, queueSize: UInt16 = 128
    ) {
        self.identifier = identifier
        self.path = path
        self.isReadOnly = isReadOnly
        self.isDirect = isDirect
        self.isSparse = isSparse
        self.serial = serial
        self.queueCount = queueCount
        self.queueSize = queueSize
    }
}
