/// `memory`: the RAM of the guest.
public struct MemoryConfig: SchemaObject {
    /// Bytes of RAM, a multiple of the page size.
    public var size: UInt64 = 512 << 20
    /// Whether the RAM is a file that other processes can map; a local migration needs it, or huge
    /// pages.
    public var shared = true
    /// Whether the RAM comes from the host's pool of huge pages.
    public var hugepages = false
    /// Bytes of a huge page: 2 MiB, also when unset, or 1 GiB.
    public var hugepageSize: UInt64?
    /// Whether all RAM is touched before the guest starts.
    public var prefault = false
    /// How it is noted which pages the guest writes while it is moved; unset is the log.
    public var dirtyTracking: DirtyTracking?

    /// How it is noted which pages the guest writes.
    public enum DirtyTracking: String, SchemaChoice {
        /// A bit for each page.
        case log = "Log"
        /// A ring for each vCPU.
        case ring = "Ring"
    }

    /// 512 MiB of private RAM.
    public init() {}

    /// See `SchemaObject`.
    public static let fields: [Field<MemoryConfig>] = [
        .size("size", \.size),
        .unsupported("mergeable", default: false),
        .unsupported("hotplug_method", default: HotplugMethod.acpi),
        .unsupported("hotplug_size"),
        .unsupported("hotplugged_size"),
        .value("shared", \.shared),
        .value("hugepages", \.hugepages),
        .optionalSize("hugepage_size", \.hugepageSize, supported: [2 << 20, 1 << 30]),
        .value("prefault", \.prefault),
        .optional("dirty_tracking", \.dirtyTracking),
        .unsupported("reserve", default: false),
        .unsupported("zones", options: []),
        .unsupported("thp", default: true),
    ]
}

/// `memory.hotplug_method`.
private enum HotplugMethod: String, SchemaChoice {
    case acpi = "Acpi"
    case virtioMem = "VirtioMem"
}
