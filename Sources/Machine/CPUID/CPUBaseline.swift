/// What a baseline shows its guests, as tables. Nothing that is not written here is shown.
///
/// Sources: x86-64 psABI, section "Micro-Architecture Levels", for the features of each level;
/// Linux `Documentation/virt/kvm/x86/cpuid.rst` for the paravirtual ones; Intel SDM volume 2A
/// (CPUID) and volume 1 (13, XSAVE); AMD APM volume 3, appendix E.
struct CPUBaseline {
    /// Features by the names of /proc/cpuinfo.
    let features: [String]
    /// The processors that guests are told of, by vendor.
    let models: [Vendor: Model]
    /// Register sets that XSAVE keeps, by vendor: AMD's have no place for MPX.
    let extendedStates: [Vendor: [ExtendedState]]
    /// Bits of a physical address: fewer than any processor of the level for servers has.
    let addressBits: UInt32
    /// Shown to people as the processor's name.
    let brand: String

    /// Makers of processors for which there are baselines, by their name in CPUID.
    enum Vendor: String, CaseIterable {
        case intel = "GenuineIntel"
        case amd = "AuthenticAMD"
    }

    /// Family, model and stepping: those of the oldest server processor of a level, since kernels
    /// take a processor that they take for old to need all of their mitigations.
    struct Model {
        var family: UInt32
        var model: UInt32
        var stepping: UInt32

        /// As EAX of leaf 1 has it.
        var signature: UInt32 {
            let base = min(family, 15)
            return (family - base) << 20 | (model >> 4) << 16 | base << 8 | (model & 15) << 4
                | stepping
        }
    }

    /// One register set in the area of XSAVE.
    struct ExtendedState {
        var index: UInt32
        var size: UInt32
        var offset: UInt32
    }
}

extension CPUBaseline {
    /// What every 64-bit processor has. VME is left out: 64-bit kernels have no use for it, and
    /// emulators do without.
    private static let first = [
        "fpu", "de", "pse", "tsc", "msr", "pae", "mce", "cx8", "apic", "sep", "mtrr", "pge", "mca",
        "cmov", "pat", "pse36", "clflush", "mmx", "fxsr", "sse", "sse2", "syscall", "nx", "lm",
    ]

    /// psABI: CMPXCHG16B, LAHF-SAHF, POPCNT, SSE3, SSE4.1, SSE4.2, SSSE3. Kernels use RDTSCP.
    private static let second = [
        "cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3", "rdtscp",
    ]

    /// psABI: AVX, AVX2, BMI1, BMI2, F16C, FMA, LZCNT, MOVBE, OSXSAVE. Every server processor of
    /// the level also has what encryption, random numbers, big mappings and the protection of
    /// kernels want.
    private static let third = [
        "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave", "xsaveopt", "aes",
        "pclmulqdq", "rdrand", "fsgsbase", "smep", "pdpe1gb",
    ]

    /// psABI: AVX512F, AVX512BW, AVX512CD, AVX512DQ, AVX512VL. The rest is what Skylake servers
    /// and Zen 4 have in common and kernels use.
    private static let fourth = [
        "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "xsavec", "xgetbv1", "smap",
        "pcid", "invpcid", "erms", "rdseed", "adx", "clflushopt", "clwb",
    ]

    /// What KVM gives to guests on any processor. An invariant time stamp counter is not among
    /// it: nested hosts have none, and the paravirtual clock is right without.
    private static let virtual = [
        "hypervisor", "x2apic", "tsc_deadline_timer", "tsc_adjust", "arat", "kvm_clocksource",
        "kvm_nopiodelay", "kvmclock", "kvm_asyncpf", "kvm_steal_time", "kvm_pv_eoi",
        "kvm_pv_unhalt", "kvm_pv_tlb_flush", "kvm_asyncpf_vmexit", "kvm_pv_ipi",
        "kvm_poll_control", "kvm_pv_sched_yield", "kvm_asyncpf_int", "kvmclock_stable",
    ]

    /// Nehalem, and Zen.
    private static let oldModels: [Vendor: Model] = [
        .intel: Model(family: 6, model: 0x1a, stepping: 3),
        .amd: Model(family: 0x17, model: 1, stepping: 2),
    ]

    private static let avx = ExtendedState(index: 2, size: 0x100, offset: 0x240)

    static let level1 = CPUBaseline(
        features: first + virtual, models: oldModels, extendedStates: [:], addressBits: 40,
        brand: "Martlet x86-64-v1 processor")

    static let level2 = CPUBaseline(
        features: first + second + virtual, models: oldModels, extendedStates: [:],
        addressBits: 40, brand: "Martlet x86-64-v2 processor")

    /// Haswell, and Zen.
    static let level3 = CPUBaseline(
        features: first + second + third + virtual,
        models: [
            .intel: Model(family: 6, model: 0x3c, stepping: 1),
            .amd: Model(family: 0x17, model: 1, stepping: 2),
        ],
        extendedStates: [.intel: [avx], .amd: [avx]], addressBits: 40,
        brand: "Martlet x86-64-v3 processor")

    /// Skylake for servers, and Zen 4.
    static let level4 = CPUBaseline(
        features: first + second + third + fourth + virtual,
        models: [
            .intel: Model(family: 6, model: 0x55, stepping: 4),
            .amd: Model(family: 0x19, model: 0x11, stepping: 1),
        ],
        extendedStates: [
            .intel: [
                avx, ExtendedState(index: 5, size: 0x40, offset: 0x440),
                ExtendedState(index: 6, size: 0x200, offset: 0x480),
                ExtendedState(index: 7, size: 0x400, offset: 0x680),
            ],
            .amd: [
                avx, ExtendedState(index: 5, size: 0x40, offset: 0x340),
                ExtendedState(index: 6, size: 0x200, offset: 0x380),
                ExtendedState(index: 7, size: 0x400, offset: 0x580),
            ],
        ],
        addressBits: 46, brand: "Martlet x86-64-v4 processor")
}
