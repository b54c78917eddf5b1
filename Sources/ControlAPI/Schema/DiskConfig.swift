/// An element of `disks`: a virtio block device on a file.
public struct DiskConfig: SchemaObject {
    /// Name of the device, unique in the guest; given by the VMM when unset.
    public var id: String?
    /// Its slot on the PCI bus, 1 to 31; given by the VMM when unset, and kept from then on.
    public var slot: UInt8?
    /// Path of the file.
    public var path: String?
    /// Whether the guest can only read.
    public var readonly = false
    /// Whether the host's page cache is bypassed.
    public var direct = false
    /// Whether the guest can give space back to the file.
    public var sparse = true
    /// Number of queues, at least 1.
    public var numQueues: UInt16 = 1
    /// Descriptors in each queue, a power of two.
    public var queueSize: UInt16 = 128
    /// Serial number that the guest sees.
    public var serial: String?
    /// What the file holds; `unknown` is taken as raw.
    public var imageType = ImageType.unknown

    /// What a disk's file holds.
    public enum ImageType: String, SchemaChoice {
        /// Formats that Martlet does not read yet.
        case flatVMDK = "FlatVmdk"
        case fixedVHD = "FixedVhd"
        case qcow2 = "Qcow2"
        case vhdx = "Vhdx"
        /// The sectors of the disk, one after the other.
        case raw = "Raw"
        /// Not said.
        case unknown = "Unknown"
    }

    /// A disk without a file.
    public init() {}

    /// See `SchemaObject`.
    public static let fields: [Field<DiskConfig>] =
        Field.device(id: \.id, slot: \.slot) + [
            .optional("path", \.path),
            .value("readonly", \.readonly),
            .value("direct", \.direct),
            .value("num_queues", \.numQueues),
            .value("queue_size", \.queueSize),
            .unsupported("vhost_user", default: false),
            .unsupported("vhost_socket", options: ["socket"]),
            .unsupported("rate_limit_group"),
            .unsupported("rate_limiter_config", options: rateLimiterOptions),
            .unsupported("disable_io_uring", default: false, options: []),
            .unsupported("disable_aio", default: false, options: []),
            .optional("serial", \.serial),
            .unsupported("queue_affinity"),
            .unsupported("backing_files", default: false),
            .value("sparse", \.sparse),
            .value("image_type", \.imageType, supported: [.raw, .unknown]),
            .unsupported("lock_granularity", default: LockGranularity.byteRange),
        ]
}

/// `lock_granularity` of a disk.
private enum LockGranularity: String, SchemaChoice {
    case byteRange = "ByteRange"
    case full = "Full"
}

/// The keys in option strings which together are `rate_limiter_config`.
let rateLimiterOptions = [
    "bw_size", "bw_one_time_burst", "bw_refill_time",
    "ops_size", "ops_one_time_burst", "ops_refill_time",
]
