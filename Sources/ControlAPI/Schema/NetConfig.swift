/// An element of `net`: a virtio network device on a tap.
public struct NetConfig: SchemaObject {
    /// Name of the device, unique in the guest; given by the VMM when unset.
    public var id: String?
    /// Its slot on the PCI bus, 1 to 31; given by the VMM when unset, and kept from then on.
    public var slot: UInt8?
    /// Name of the tap; a tap with a name of the kernel's choice is created when unset.
    public var tap: String?
    /// The IPv4 address of the host's end, for a tap that the VMM creates.
    public var ip: String?
    /// The mask of its network; `255.255.255.0` when unset.
    public var mask: String?
    /// The MAC address of the host's end, for a tap that the VMM creates.
    public var hostMAC: String?
    /// The guest's MAC address, `02:00:00:00:00:01`; random when unset.
    public var mac: String?
    /// The MTU that the guest is told, in bytes.
    public var mtu: UInt16?
    /// Number of queues, receive and transmit counted separately: an even number, at least 2.
    public var numQueues: UInt16 = 2
    /// Descriptors in each queue, a power of two.
    public var queueSize: UInt16 = 256
    /// Whether TCP segmentation offload is offered to the guest.
    public var offloadTSO = true
    /// Whether large UDP datagrams, and packets of many, are offered to the guest to be left uncut.
    public var offloadUFO = true
    /// Whether checksum offload is offered to the guest.
    public var offloadChecksum = true

    /// A device on a new tap.
    public init() {}

    /// See `SchemaObject`.
    public static let fields: [Field<NetConfig>] =
        Field.device(id: \.id, slot: \.slot) + [
            .optional("tap", \.tap),
            .optional("ip", \.ip),
            .optional("mask", \.mask),
            .optional("mac", \.mac),
            .optional("host_mac", \.hostMAC),
            .optional("mtu", \.mtu),
            .value("num_queues", \.numQueues),
            .value("queue_size", \.queueSize),
            .unsupported("vhost_user", default: false),
            .unsupported("vhost_socket", options: ["socket"]),
            .unsupported("vhost_mode", default: VhostMode.client),
            .unsupported("fds", options: ["fd"]),
            .unsupported("rate_limiter_config", options: rateLimiterOptions),
            .value("offload_tso", \.offloadTSO),
            .value("offload_ufo", \.offloadUFO),
            .value("offload_csum", \.offloadChecksum),
        ]
}

/// `vhost_mode` of a network device.
private enum VhostMode: String, SchemaChoice {
    case client = "Client"
    case server = "Server"
}
