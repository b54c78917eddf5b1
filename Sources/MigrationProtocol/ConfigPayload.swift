/// The payload of Config: everything that a destination needs to build the guest, without its state.
///
/// On the wire it is a JSON object with Cloud Hypervisor's keys and one of our own, `martlet`. Keys
/// that are not known are skipped, because a newer peer may have more of them.
public struct ConfigPayload: Equatable, Sendable {
    /// `vm_config`: the configuration as in the API, as JSON text; opaque to this module.
    public var guestConfiguration: [UInt8]
    /// `common_cpuid`: what the guest was told about its processors.
    public var processorFeatures: [ProcessorFeatureEntry]
    /// `memory_manager_data`: where RAM lies.
    public var memory: MemoryDescription
    /// `martlet`: nil from a peer that is none.
    public var martlet: MartletDescription?

    /// A payload from its parts.
    public init(
        guestConfiguration: [UInt8], processorFeatures: [ProcessorFeatureEntry],
        memory: MemoryDescription, martlet: MartletDescription?
    ) {
        self.guestConfiguration = guestConfiguration
        self.processorFeatures = processorFeatures
        self.memory = memory
        self.martlet = martlet
    }
}

/// One CPUID leaf as the guest sees it.
public struct ProcessorFeatureEntry: Equatable, Sendable, Codable {
    /// The leaf.
    public var function: UInt32
    /// The subleaf.
    public var index: UInt32
    /// KVM's flags: bit 0 says that the subleaf is significant.
    public var flags: UInt32
    /// The register EAX.
    public var eax: UInt32
    /// The register EBX.
    public var ebx: UInt32
    /// The register ECX.
    public var ecx: UInt32
    /// The register EDX.
    public var edx: UInt32

    /// An entry from its parts.
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

/// What only Martlets tell each other: enough to refuse a guest before it is paused.
public struct MartletDescription: Equatable, Sendable, Codable {
    /// A component whose state will come, and the version of its layout.
    public struct Component: Equatable, Sendable, Codable {
        /// The name as in the state.
        public var name: String
        /// The version that the source writes.
        public var version: UInt16

        /// A component from its parts.
        public init(name: String, version: UInt16) {
            self.name = name
            self.version = version
        }
    }

    /// The version of the program at the source, for logs.
    public var version: String
    /// Every component of State.
    public var components: [Component]
    /// The size of the pages that back guest memory, in bytes.
    public var pageSize: UInt64
    /// Processor features that the guest is not shown although the host has them, for instance
    /// `svm`.
    public var hiddenFeatures: [String]
    /// Registers that tell the guest, besides CPUID, what its processors are; nil where there are
    /// none.
    public var featureRegisters: [Register]?

    /// A model-specific register.
    public struct Register: Equatable, Sendable, Codable {
        /// Its number.
        public var index: UInt32
        /// Its value.
        public var value: UInt64

        /// A register with its value.
        public init(index: UInt32, value: UInt64) {
            self.index = index
            self.value = value
        }
    }

    /// A description from its parts.
    public init(
        version: String, components: [Component], pageSize: UInt64, hiddenFeatures: [String],
        featureRegisters: [Register]? = nil
    ) {
        self.version = version
        self.components = components
        self.pageSize = pageSize
        self.hiddenFeatures = hiddenFeatures
        self.featureRegisters = featureRegisters
    }

    /// The components which a program that reads `known` (the newest version by name) cannot load.
    public func unreadableComponents(known: [String: UInt16]) -> [Component] {
        components.filter { component in
            guard let newest = known[component.name] else { return true }
            return component.version == 0 || component.version > newest
        }
    }

    private enum CodingKeys: String, CodingKey {
        case version, components
        case pageSize = "page_size"
        case hiddenFeatures = "hidden_features"
        case featureRegisters = "feature_registers"
    }
}
