/// `payload`: what the guest boots.
public struct PayloadConfig: SchemaObject {
    /// Path of a kernel: an ELF file with a PVH entry, or a bzImage.
    public var kernel: String?
    /// The kernel's command line.
    public var cmdline: String?
    /// Path of the initial RAM file system.
    public var initramfs: String?

    /// Nothing to boot.
    public init() {}

    /// See `SchemaObject`.
    public static let fields: [Field<PayloadConfig>] = [
        .unsupported("firmware"),
        .optional("kernel", \.kernel),
        .optional("cmdline", \.cmdline),
        .optional("initramfs", \.initramfs),
        .unsupported("igvm"),
        .unsupported("host_data"),
        .unsupported("fw_cfg_config"),
    ]
}
