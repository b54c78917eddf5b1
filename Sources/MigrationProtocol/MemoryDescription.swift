/// `memory_manager_data`: where guest RAM lies, with Cloud Hypervisor's keys.
///
/// An offload daemon of either kind reads `guestMappings` only; the rest is there because its
/// decoder wants every key.
public struct MemoryDescription: Equatable, Sendable {
    /// One slot of guest RAM.
    public struct Mapping: Equatable, Sendable {
        /// The memory slot; names the mapping in MemoryFd.
        public var slot: UInt32
        /// The first guest-physical address.
        public var address: UInt64
        /// Bytes.
        public var size: UInt64
        /// The memory zone that it is part of; `mem0` where none was configured.
        public var zone: String
        /// Whether a virtio-mem device plugs and unplugs it.
        public var isVirtioMem: Bool
        /// Where it begins in the file behind it.
        public var fileOffset: UInt64

        /// A mapping of ordinary RAM.
        public init(
            slot: UInt32, address: UInt64, size: UInt64, zone: String = "mem0",
            isVirtioMem: Bool = false, fileOffset: UInt64
        ) {
            self.slot = slot
            self.address = address
            self.size = size
            self.zone = zone
            self.isVirtioMem = isVirtioMem
            self.fileOffset = fileOffset
        }
    }

    /// A run of the address space and what it is for.
    public struct AddressRegion: Equatable, Sendable, Codable {
        /// `r_type` on the wire.
        public enum Kind: String, Sendable, Codable {
            /// RAM.
            case ram = "Ram"
            /// A hole in RAM.
            case subRegion = "SubRegion"
            /// Neither RAM nor free.
            case reserved = "Reserved"
        }

        /// The first address.
        public var base: UInt64
        /// Bytes.
        public var size: UInt64
        /// What it is for.
        public var kind: Kind

        /// A region from its parts.
        public init(base: UInt64, size: UInt64, kind: Kind) {
            self.base = base
            self.size = size
            self.kind = kind
        }

        private enum CodingKeys: String, CodingKey {
            case base, size
            case kind = "r_type"
        }
    }

    /// The slots of RAM.
    public var guestMappings: [Mapping]
    /// The first address above RAM.
    public var startOfDeviceArea: UInt64
    /// Bytes of RAM at boot.
    public var bootMemory: UInt64
    /// Bytes of RAM now.
    public var currentMemory: UInt64
    /// The plan of the address space.
    public var addressRegions: [AddressRegion]
    /// The slot number that the next mapping would get.
    public var nextSlot: UInt32

    /// The description of a guest without memory hot-plug.
    ///
    /// - Parameters:
    ///   - guestMappings: The slots of RAM.
    ///   - startOfDeviceArea: The first address above RAM.
    public init(guestMappings: [Mapping], startOfDeviceArea: UInt64) {
        self.guestMappings = guestMappings
        self.startOfDeviceArea = startOfDeviceArea
        bootMemory = guestMappings.reduce(0) { $0.addingReportingOverflow($1.size).partialValue }
        currentMemory = bootMemory
        addressRegions = guestMappings.map {
            AddressRegion(base: $0.address, size: $0.size, kind: .ram)
        }
        nextSlot = guestMappings.map(\.slot).max().map { $0 &+ 1 } ?? 0
    }

    /// The mappings as regions; throws if they overlap or do not fit the address space.
    public func regions() throws(RangeError) -> RegionList {
        try RegionList(guestMappings.map { MemoryRange(address: $0.address, length: $0.size) })
    }
}

extension MemoryDescription.Mapping: Codable {
    private enum CodingKeys: String, CodingKey {
        case slot, size
        case address = "gpa"
        case zone = "zone_id"
        case isVirtioMem = "virtio_mem"
        case fileOffset = "file_offset"
    }
}

extension MemoryDescription: Codable {
    /// The ranges of a snapshot; empty in a migration.
    private struct SavedRanges: Codable {
        var data: [Range] = []

        struct Range: Codable {
            var gpa: UInt64
            var length: UInt64
        }
    }

    /// A slot for memory hot-plug; Martlet has none.
    private struct HotplugSlot: Codable {
        var base: UInt64
        var length: UInt64
        var active: Bool
        var inserting: Bool
        var removing: Bool
    }

    private enum CodingKeys: String, CodingKey {
        case memoryRanges = "memory_ranges"
        case guestMappings = "guest_ram_mappings"
        case startOfDeviceArea = "start_of_device_area"
        case bootMemory = "boot_ram"
        case currentMemory = "current_ram"
        case addressRegions = "arch_mem_regions"
        case hotplugSlots = "hotplug_slots"
        case nextSlot = "next_memory_slot"
        case selectedSlot = "selected_slot"
        case nextHotplugSlot = "next_hotplug_slot"
    }

    /// Reads what a migration needs; hot-plug bookkeeping of a peer is skipped.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        guestMappings = try container.decode([Mapping].self, forKey: .guestMappings)
        startOfDeviceArea = try container.decode(UInt64.self, forKey: .startOfDeviceArea)
        bootMemory = try container.decode(UInt64.self, forKey: .bootMemory)
        currentMemory = try container.decode(UInt64.self, forKey: .currentMemory)
        addressRegions = try container.decode([AddressRegion].self, forKey: .addressRegions)
        nextSlot = try container.decode(UInt32.self, forKey: .nextSlot)
    }

    /// Writes every key that Cloud Hypervisor's decoder wants.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(SavedRanges(), forKey: .memoryRanges)
        try container.encode(guestMappings, forKey: .guestMappings)
        try container.encode(startOfDeviceArea, forKey: .startOfDeviceArea)
        try container.encode(bootMemory, forKey: .bootMemory)
        try container.encode(currentMemory, forKey: .currentMemory)
        try container.encode(addressRegions, forKey: .addressRegions)
        try container.encode([HotplugSlot](), forKey: .hotplugSlots)
        try container.encode(nextSlot, forKey: .nextSlot)
        try container.encode(0 as UInt64, forKey: .selectedSlot)
        try container.encode(0 as UInt64, forKey: .nextHotplugSlot)
    }
}
