/// `rng`: the virtio entropy device. Every guest has one.
public struct RngConfig: SchemaObject {
    /// Name of the device, unique in the guest; given by the VMM when unset.
    public var id: String?
    /// Its slot on the PCI bus, 1 to 31; given by the VMM when unset, and kept from then on.
    public var slot: UInt8?
    /// Path that random bytes are read from.
    public var source = "/dev/urandom"

    /// The device on `/dev/urandom`.
    public init() {}

    /// See `SchemaObject`.
    public static let fields: [Field<RngConfig>] =
        Field.device(id: \.id, slot: \.slot) + [.value("src", \.source, option: "src")]
}
