/// `cpus`: the processors of the guest.
public struct CpusConfig: SchemaObject {
    /// vCPUs that run from the start, 1 to 254.
    public var bootVcpus: UInt32 = 1
    /// vCPUs at most; equal to `bootVcpus`, as long as vCPUs cannot be added.
    public var maxVcpus: UInt32 = 1
    /// Whether the guest may be a hypervisor. Cloud Hypervisor's default is true, so it is accepted
    /// and kept, but Martlet hides the virtualization extensions from the guest either way.
    public var nested = true
    /// Bits of a physical address at most.
    public var maxPhysBits: UInt8 = 46
    /// What the processors are: those of the host, or a baseline that unlike hosts share.
    public var profile = CPUProfile.host

    /// One vCPU.
    public init() {}

    /// As many vCPUs as given.
    public init(vcpus: UInt32) {
        bootVcpus = vcpus
        maxVcpus = vcpus
    }

    /// See `SchemaObject`.
    public static let fields: [Field<CpusConfig>] = [
        .value("boot_vcpus", \.bootVcpus, option: "boot"),
        .value("max_vcpus", \.maxVcpus, option: "max"),
        .unsupported("topology"),
        .unsupported("kvm_hyperv", default: false),
        .value("max_phys_bits", \.maxPhysBits),
        .unsupported("affinity"),
        .object("features", \.features),
        .value("nested", \.nested),
        .unsupported("core_scheduling", default: CoreScheduling.vm),
        .value("profile", \.profile),
    ]

    /// Which processor features are switched on beside the usual ones.
    var features = CPUFeatures()
}

/// `cpus.features`.
struct CPUFeatures: SchemaObject {
    static let fields: [Field<CPUFeatures>] = [.unsupported("amx", default: false)]
}

/// `cpus.core_scheduling`.
private enum CoreScheduling: String, SchemaChoice {
    case vm = "Vm"
    case vcpu = "Vcpu"
    case off = "Off"
}

/// `cpus.profile`: what the processors of a guest are. JSON takes what option strings take.
public enum CPUProfile: String, SchemaChoice {
    /// Everything that the host has.
    case host = "Host"
    /// What every 64-bit processor has.
    case level1 = "x86-64-v1"
    /// The second level of the x86-64 psABI.
    case level2 = "x86-64-v2"
    /// The third level: AVX2.
    case level3 = "x86-64-v3"
    /// The fourth level: AVX-512.
    case level4 = "x86-64-v4"

    /// Reads the name in any case.
    public init?(option: String) {
        let wanted = option.lowercased()
        guard let choice = Self.allCases.first(where: { $0.rawValue.lowercased() == wanted }) else {
            return nil
        }
        self = choice
    }

    /// Reads the name in any case: Cloud Hypervisor writes `Host`, people write `host`.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let name = try container.decode(String.self)
        guard let choice = Self(option: name) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "\(name) is no processor profile")
        }
        self = choice
    }
}
