/// A model-specific register of a guest and its value.
public struct GuestRegister: Hashable, Sendable {
    /// ECX of RDMSR.
    public var index: UInt32
    /// EDX and EAX.
    public var value: UInt64

    /// A register with its value.
    public init(index: UInt32, value: UInt64) {
        self.index = index
        self.value = value
    }
}

/// Model-specific registers that tell a guest what its processors are, as CPUID does. They do not
/// change while it lives, wherever it goes.
///
/// Sources: Intel SDM volume 4; Linux `arch/x86/include/asm/msr-index.h`; KVM's values for new
/// processors: Linux `arch/x86/kvm/svm/svm.c` and `vmx/vmx.c`.
enum FeatureRegisters {
    static let microcodeRevision: UInt32 = 0x8b
    static let platformInformation: UInt32 = 0xce
    static let architecturalCapabilities: UInt32 = 0x10a
    static let performanceCapabilities: UInt32 = 0x345
    /// DE_CFG of AMD: whether LFENCE is serializing.
    static let decodeConfiguration: UInt32 = 0xc001_1029

    /// Those of VMX, which guests are not shown.
    static let ofVMX: ClosedRange<UInt32> = 0x480...0x493

    /// Those that go with the description of a guest.
    static let described: Set<UInt32> = [
        microcodeRevision, platformInformation, architecturalCapabilities, decodeConfiguration,
    ]

    /// The registers that go with the description of a guest; the capabilities only where CPUID
    /// says that there are some.
    static func described(of cpuid: GuestCPUID, _ values: [UInt32: UInt64]) -> [GuestRegister] {
        let hasCapabilities = (CPUIDTable(cpuid.entries).leaf(7)?.edx ?? 0) & 1 << 29 != 0
        return described.sorted().compactMap { index in
            guard index != architecturalCapabilities || hasCapabilities else { return nil }
            return values[index].map { GuestRegister(index: index, value: $0) }
        }
    }

    /// What a baseline has there: nothing of the host. The microcode's revision is the one that
    /// KVM makes up for each vendor; CPUID faulting is KVM's own.
    static func ofBaseline(_ vendor: CPUBaseline.Vendor) -> [GuestRegister] {
        let revision: UInt64 = vendor == .intel ? 0x1_0000_0000 : 0x0100_0065
        return [
            GuestRegister(index: microcodeRevision, value: revision),
            GuestRegister(index: platformInformation, value: 1 << 31),
            GuestRegister(index: architecturalCapabilities, value: 0),
            GuestRegister(index: performanceCapabilities, value: 0),
            GuestRegister(index: decodeConfiguration, value: 0),
        ]
    }

    /// IA32_ARCH_CAPABILITIES: bits whose absence makes a guest unsafe that was told of them.
    private static let capabilityNames: [Int: String] = [
        0: "rdcl_no", 1: "ibrs_all", 3: "skip_l1dfl_vmentry", 4: "ssb_no", 5: "mds_no",
        6: "pschange_mc_no", 7: "tsx_ctrl", 8: "taa_no", 10: "misc_package_ctrls",
        13: "sbdr_ssdp_no", 14: "fbsdp_no", 15: "psdp_no", 17: "fb_clear", 18: "fb_clear_ctrl",
        20: "bhi_no", 24: "pbrsb_no", 26: "gds_no", 27: "rfds_no", 28: "rfds_clear", 62: "its_no",
    ]

    /// RSBA and RRSBA: what a guest need not know when it runs where they do not hold.
    private static let ignoredCapabilities: UInt64 = 1 << 2 | 1 << 19

    /// What a guest was told by its registers and the host's do not say, by name.
    static func missing(from host: [GuestRegister], in guest: [GuestRegister]) -> [String] {
        func capabilities(_ registers: [GuestRegister]) -> UInt64 {
            registers.first { $0.index == architecturalCapabilities }?.value ?? 0
        }
        var bits = capabilities(guest) & ~capabilities(host) & ~ignoredCapabilities
        var names: [String] = []
        while bits != 0 {
            let bit = bits.trailingZeroBitCount
            names.append(capabilityNames[bit] ?? "IA32_ARCH_CAPABILITIES bit \(bit)")
            bits &= bits - 1
        }
        return names
    }
}
