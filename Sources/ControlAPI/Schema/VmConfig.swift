/// The configuration of a guest: the body of `vm.create`, part of `vm.info`, and `vm_config` in a
/// migration.
public struct VmConfig: SchemaObject {
    /// The processors.
    public var cpus = CpusConfig()
    /// The RAM.
    public var memory = MemoryConfig()
    /// What the guest boots; a guest cannot be booted without.
    public var payload: PayloadConfig?
    /// The block devices.
    public var disks: [DiskConfig] = []
    /// The network devices.
    public var net: [NetConfig] = []
    /// The entropy device.
    public var rng = RngConfig()
    /// The serial port.
    public var serial = SerialConfig()
    /// The virtio console.
    public var console = ConsoleConfig()

    /// A guest with everything at its default and nothing to boot.
    public init() {}

    /// See `SchemaObject`.
    public static let fields: [Field<VmConfig>] = [
        .object("cpus", \.cpus),
        .object("memory", \.memory),
        .optional("payload", \.payload),
        .unsupported("rate_limit_groups"),
        .list("disks", \.disks),
        .list("net", \.net),
        .object("rng", \.rng),
        .unsupported("balloon"),
        .unsupported("generic_vhost_user"),
        .unsupported("fs"),
        .unsupported("pmem"),
        .object("serial", \.serial),
        .object("console", \.console),
        .object("debug_console", \.debugConsole),
        .unsupported("devices"),
        .unsupported("user_devices"),
        .unsupported("vdpa"),
        .unsupported("vsock"),
        .unsupported("pvmemcontrol"),
        .unsupported("pvpanic", default: false),
        .unsupported("iommu", default: false),
        .unsupported("numa"),
        .unsupported("watchdog", default: false),
        .unsupported("rtc"),
        .unsupported("gdb", default: false),
        .unsupported("pci_segments"),
        .optional("platform", \.platform),
        .unsupported("tpm"),
        .unsupported("landlock_enable", default: false),
        .unsupported("landlock_rules"),
        .unsupported("ivshmem"),
    ]

    /// Properties of the machine; unset and given at the defaults are kept apart.
    var platform: PlatformConfig?
    /// The port for early output, at its defaults.
    var debugConsole = DebugConsoleConfig()
}
