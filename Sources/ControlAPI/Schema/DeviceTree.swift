/// One node of `device_tree` in the answer of `vm.info`, as Cloud Hypervisor writes it: a virtio
/// device is a child of its PCI function, which has a node of its own.
public struct DeviceNode: Codable, Equatable, Sendable {
    /// Name of the node.
    public var id: String
    /// What it has been given.
    public var resources: [DeviceResource] = []
    /// The node that it belongs to.
    public var parent: String?
    /// The nodes that belong to it.
    public var children: [String] = []
    /// Its place on the PCI bus, as in `0000:00:05.0`; nil when it is no PCI function.
    public var pciBDF: String?

    /// A node without resources and relatives.
    public init(id: String) {
        self.id = id
    }

    private enum CodingKeys: String, CodingKey {
        case id, resources, parent, children
        case pciBDF = "pci_bdf"
    }

    /// Writes all keys, with null where there is nothing.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(resources, forKey: .resources)
        try container.encode(parent, forKey: .parent)
        try container.encode(children, forKey: .children)
        try container.encode(pciBDF, forKey: .pciBDF)
    }
}

/// Something that a device has been given. In JSON it is an object with one key, which says what.
public enum DeviceResource: Codable, Equatable, Sendable {
    /// Ports.
    case ports(AddressRange)
    /// An interrupt line.
    case interruptLine(UInt32)
    /// A base address register of a PCI function.
    case baseAddress(PCIBar)

    /// Where something answers.
    public struct AddressRange: Codable, Equatable, Sendable {
        /// The first address.
        public var base: UInt64
        /// How many addresses.
        public var size: UInt64

        /// A range with its bounds.
        public init(base: UInt64, size: UInt64) {
            self.base = base
            self.size = size
        }
    }

    /// What a base address register decodes.
    public struct PCIBar: Codable, Equatable, Sendable {
        /// How wide its addresses are.
        public enum Kind: String, Codable, Sendable {
            /// Below 4 GiB.
            case mmio32 = "Mmio32"
            /// Anywhere.
            case mmio64 = "Mmio64"
        }

        /// Number of the register.
        public var index: UInt64
        /// The first address.
        public var base: UInt64
        /// Bytes.
        public var size: UInt64
        /// How wide its addresses are.
        public var kind: Kind
        /// Whether reads have no effects; those of devices here may have.
        public var prefetchable = false

        /// A register with its range.
        public init(index: UInt64, base: UInt64, size: UInt64, kind: Kind) {
            self.index = index
            self.base = base
            self.size = size
            self.kind = kind
        }

        private enum CodingKeys: String, CodingKey {
            case index, base, size, prefetchable
            case kind = "type_"
        }
    }

    private enum CodingKeys: String, CodingKey {
        case ports = "PioAddressRange"
        case interruptLine = "LegacyIrq"
        case baseAddress = "PciBar"
    }

    /// Reads the object by its only key.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        if let range = try container.decodeIfPresent(AddressRange.self, forKey: .ports) {
            self = .ports(range)
        } else if let line = try container.decodeIfPresent(UInt32.self, forKey: .interruptLine) {
            self = .interruptLine(line)
        } else {
            self = .baseAddress(try container.decode(PCIBar.self, forKey: .baseAddress))
        }
    }

    /// Writes the object with its only key.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .ports(let range): try container.encode(range, forKey: .ports)
        case .interruptLine(let line): try container.encode(line, forKey: .interruptLine)
        case .baseAddress(let bar): try container.encode(bar, forKey: .baseAddress)
        }
    }
}
