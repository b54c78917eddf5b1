/// `cpus`: the processors of the guest.
public struct CpusConfig: SchemaObject {
    /// vCPUs that run from the start, 1 to 254.
    public var bootVcpus: UInt32 = 1
    /// vCPUs at most; equal to `bootVcpus`, as long as vCPUs cannot be added.
    public var maxVcpus: UInt32 = 1
    /// Whether the guest may be a hypervisor. Cloud Hypervisor's default is true, so it is accepted
    /// and kept, but Martlet hides the virtualization extensions from the guest either way.
    public var nested = true

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
        .unsupported("max_phys_bits", default: UInt8(46)),
        .unsupported("affinity"),
        .object("features", \.features),
        .value("nested", \.nested),
        .unsupported("core_scheduling", default: CoreScheduling.vm),
        .unsupported("profile", default: CPUProfile.host),
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

/// `cpus.profile`.
private enum CPUProfile: String, SchemaChoice {
    case host = "Host"
}
