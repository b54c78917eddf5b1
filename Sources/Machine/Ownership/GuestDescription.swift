public import GuestMemory
public import LinuxSystem

/// What a destination must know to build the machine of a guest before any state arrives.
public struct GuestDescription: Hashable, Sendable {
    /// The guest's configuration as JSON with Cloud Hypervisor's keys (`vm_config`); opaque to
    /// the migration engines.
    public var configuration: [UInt8]

    /// The CPUID leaves that the guest sees.
    public var cpuid: [CPUIDEntry]

    /// The registers that tell the guest, besides CPUID, what its processors are.
    public var registers: [GuestRegister]

    /// The regions of RAM, ascending.
    public var regions: [RegionLayout]

    /// Every component whose state will follow, with its version.
    public var components: [ComponentVersion]

    /// Collects the parts.
    public init(
        configuration: [UInt8], cpuid: [CPUIDEntry], registers: [GuestRegister] = [],
        regions: [RegionLayout], components: [ComponentVersion]
    ) {
        self.configuration = configuration
        self.cpuid = cpuid
        self.registers = registers
        self.regions = regions
        self.components = components
    }
}

/// The name and version of one component's state.
public struct ComponentVersion: Hashable, Sendable {
    /// The component, for example `processors` or `virtio-block`.
    public let name: String

    /// The version of its encoding, from 1.
    public let version: UInt16

    /// Names a component and its version.
    public init(name: String, version: UInt16) {
        self.name = name
        self.version = version
    }
}

/// One CPUID leaf, as the guest sees it.
///
/// Source: Linux `Documentation/virt/kvm/api.rst`, `KVM_SET_CPUID2`, `struct kvm_cpuid_entry2`.
public struct CPUIDEntry: Hashable, Sendable {
    /// The leaf (EAX on input).
    public var function: UInt32
    /// The subleaf (ECX on input); meaningful when `flags` says so.
    public var index: UInt32
    /// KVM's flags; bit 0 says that `index` counts.
    public var flags: UInt32
    /// Answer in EAX.
    public var eax: UInt32
    /// Answer in EBX.
    public var ebx: UInt32
    /// Answer in ECX.
    public var ecx: UInt32
    /// Answer in EDX.
    public var edx: UInt32

    /// Makes a leaf from its seven words.
    public init(
        function: UInt32, index: UInt32, flags: UInt32, eax: UInt32, ebx: UInt32, ecx: UInt32,
        edx: UInt32
    ) {
        self.function = function
        self.index = index
        self.flags = flags
        self.eax = eax
        self.ebx = ebx
        self.ecx = ecx
        self.edx = edx
    }
}

/// Where the RAM of an incoming guest comes from.
public enum IncomingMemory: ~Copyable, Sendable {
    /// Fresh memory of the destination's own; contents arrive over the wire.
    case copied

    /// The source's own pages, one descriptor for each memory slot.
    case passed(PassedMemory)
}

/// The memory files which a source handed over, by memory slot.
public struct PassedMemory: ~Copyable, Sendable {
    private var files: [UInt32: SharedDescriptor] = [:]

    /// No files yet.
    public init() {}

    /// The slots that have a file.
    public var slots: Set<UInt32> { Set(files.keys) }

    /// Keeps the file of one slot; false, and the descriptor is closed, when the slot has one.
    public mutating func insert(_ file: consuming OwnedDescriptor, slot: UInt32) -> Bool {
        let kept = SharedDescriptor(file)
        guard files[slot] == nil else { return false }
        files[slot] = kept
        return true
    }

    /// The file of one slot.
    public func file(slot: UInt32) -> SharedDescriptor? {
        files[slot]
    }
}
