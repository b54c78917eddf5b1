@testable import Machine

/// Hosts as their KVM describes them, after /proc/cpuinfo of such machines.
extension HostProcessor {
    /// What KVM adds everywhere.
    private static let virtual = [
        "x2apic", "tsc_adjust", "arat", "kvm_clocksource", "kvm_nopiodelay", "kvmclock",
        "kvm_asyncpf", "kvm_steal_time", "kvm_pv_eoi", "kvm_pv_unhalt", "kvm_pv_tlb_flush",
        "kvm_asyncpf_vmexit", "kvm_pv_ipi", "kvm_poll_control", "kvm_pv_sched_yield",
        "kvm_asyncpf_int", "kvmclock_stable",
    ]

    private static let basic = [
        "fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce", "cx8", "apic", "sep", "mtrr", "pge",
        "mca", "cmov", "pat", "pse36", "clflush", "mmx", "fxsr", "sse", "sse2", "syscall", "nx",
        "lm", "rdtscp", "pni", "pclmulqdq", "ssse3", "cx16", "sse4_1", "sse4_2", "popcnt", "aes",
        "lahf_lm",
    ]

    private static let haswell = [
        "xsave", "avx", "xsaveopt", "fma", "movbe", "f16c", "rdrand", "abm", "fsgsbase", "bmi1",
        "avx2", "smep", "bmi2", "pdpe1gb",
    ]

    private static let zen =
        basic + haswell + [
            "cr8_legacy", "sse4a", "misalignsse", "3dnowprefetch", "osvw", "topoext", "mmxext",
            "fxsr_opt", "rdseed", "adx", "smap", "clflushopt", "sha_ni", "xsavec", "xgetbv1",
            "nonstop_tsc", "clzero", "xsaveerptr", "umip", "clwb", "rdpid", "ibpb", "ibrs",
            "amd_stibp", "amd_ssbd", "arch_capabilities",
        ]

    private static let avx512 = ["avx512f", "avx512dq", "avx512cd", "avx512bw", "avx512vl"]

    /// EPYC 7002 (Rome): no AVX-512, 48 bits.
    static let zen2 = host(
        "AuthenticAMD", signature: 0x0083_0f10, brand: "AMD EPYC 7742", zen, addressBits: 48,
        kilohertz: 2_245_780, states: [(2, 256, 576), (9, 8, 832)])

    /// EPYC 9004 (Genoa): AVX-512, 52 bits.
    static let zen4 = host(
        "AuthenticAMD", signature: 0x00a1_0f11, brand: "AMD EPYC 9654",
        zen + avx512 + [
            "pku", "pcid", "invpcid", "erms", "fsrm", "avx512ifma", "avx512vbmi", "gfni", "vaes",
            "vpclmulqdq", "avx512_vnni", "avx512_bf16", "autoibrs", "no_nested_data_bp",
        ],
        addressBits: 52, kilohertz: 2_396_000,
        states: [(2, 256, 576), (5, 64, 832), (6, 512, 896), (7, 1024, 1408), (9, 8, 2432)])

    /// Xeon Platinum 8168 (Skylake): AVX-512, MPX, 46 bits.
    static let skylake = host(
        "GenuineIntel", signature: 0x0005_0654, brand: "Xeon Platinum 8168",
        basic + haswell + avx512 + [
            "pcid", "invpcid", "erms", "rtm", "hle", "mpx", "rdseed", "adx", "smap", "clflushopt",
            "clwb", "xsavec", "xgetbv1", "pku", "md_clear", "spec_ctrl", "intel_stibp",
            "spec_ctrl_ssbd", "arch_capabilities", "3dnowprefetch", "nonstop_tsc", "ss", "umip",
        ],
        addressBits: 46, kilohertz: 2_693_672, scales: true,
        states: [
            (2, 256, 576), (3, 64, 960), (4, 64, 1024), (5, 64, 1088), (6, 512, 1152),
            (7, 1024, 1664), (9, 8, 2688),
        ])

    /// Xeon E5-2670 (Sandy Bridge): AVX without AVX2.
    static let sandyBridge = host(
        "GenuineIntel", signature: 0x0002_06d7, brand: "Xeon E5-2670",
        basic + ["xsave", "avx", "xsaveopt", "pcid", "pdpe1gb", "nonstop_tsc", "ss"],
        addressBits: 46, kilohertz: 2_593_000, states: [(2, 256, 576)])

    /// KVM-AMD in a guest of QEMU's emulation with `-cpu max`.
    static let emulated = host(
        "AuthenticAMD", signature: 0x0006_0fb1, brand: "QEMU TCG CPU version 2.5+",
        basic.filter { $0 != "vme" } + haswell + [
            "cr8_legacy", "sse4a", "3dnowprefetch", "mmxext", "3dnow", "3dnowext", "xgetbv1",
            "rdpid", "pku", "smap", "adx", "rdseed", "erms", "clflushopt", "clwb", "sha_ni",
            "vaes", "ss",
        ],
        addressBits: 40, kilohertz: 1_000_000, states: [(2, 256, 576), (9, 8, 2688)])

    /// The test machine's KVM, which works without hardware's help and shows little.
    static let software = host(
        "AuthenticAMD", signature: 0x00a1_0f11, brand: "AMD EPYC",
        ["vme", "cx16", "clflushopt", "clwb", "arch_capabilities", "lahf_lm", "nonstop_tsc"]
            + CPUBaseline.level1.features.filter { $0 != "hypervisor" },
        addressBits: 48, kilohertz: 2_596_132, states: [(2, 256, 576), (5, 64, 832)])

    private static func host(
        _ vendor: String, signature: UInt32, brand: String, _ features: [String],
        addressBits: UInt32, kilohertz: UInt32, scales: Bool = false,
        states: [(index: UInt32, size: UInt32, offset: UInt32)]
    ) -> HostProcessor {
        let isAMD = vendor == "AuthenticAMD"
        var leaves: [CPUIDEntry] = [0, 1, 2, 6, 0x8000_0001, 0x8000_0007].map {
            CPUIDEntry(function: $0, index: 0, flags: 0, eax: 0, ebx: 0, ecx: 0, edx: 0)
        }
        let name = words(vendor)
        leaves[0].eax = isAMD ? 0x10 : 0x16
        (leaves[0].ebx, leaves[0].edx, leaves[0].ecx) = (name[0], name[1], name[2])
        leaves[1].eax = signature
        leaves[1].ebx = 0x0510_0800
        for index: UInt32 in 0...2 {
            leaves.append(
                CPUIDEntry(function: 7, index: index, flags: 1, eax: 0, ebx: 0, ecx: 0, edx: 0))
        }
        let mask = states.reduce(UInt32(3)) { $0 | 1 << $1.index }
        let size = states.map { $0.offset + $0.size }.max() ?? 576
        let extended: [(UInt32, UInt32, UInt32, UInt32)] =
            [(0, mask, size, size), (1, 0, 0, 0)] + states.map { ($0.index, $0.size, $0.offset, 0) }
        for (index, eax, ebx, ecx) in extended {
            leaves.append(
                CPUIDEntry(
                    function: 0xd, index: index, flags: 1, eax: eax, ebx: ebx, ecx: ecx, edx: 0))
        }
        let text = words(brand.padding(48))
        for part in 0..<3 {
            leaves.append(
                CPUIDEntry(
                    function: 0x8000_0002 + UInt32(part), index: 0, flags: 0, eax: text[4 * part],
                    ebx: text[4 * part + 1], ecx: text[4 * part + 2], edx: text[4 * part + 3]))
        }
        leaves.append(
            CPUIDEntry(
                function: 0x8000_0008, index: 0, flags: 0, eax: 48 << 8 | addressBits, ebx: 0,
                ecx: 0x7f, edx: 0))
        for function: UInt32 in [0x4000_0000, 0x4000_0001, 0x8000_0021] {
            leaves.append(
                CPUIDEntry(function: function, index: 0, flags: 0, eax: 0, ebx: 0, ecx: 0, edx: 0))
        }
        for feature in features + virtual {
            guard let (word, bit) = CPUIDFeatureWord.place(of: feature),
                let leaf = leaves.firstIndex(where: {
                    $0.function == word.function && $0.index == word.index
                })
            else { continue }
            leaves[leaf][word.register] |= 1 << UInt32(bit)
        }
        if isAMD { leaves[4].edx |= leaves[1].edx & 0x0183_f3ff }
        return HostProcessor(
            supported: leaves, timestampKilohertz: kilohertz, scalesTimestamps: scales)
    }

    private static func words(_ text: String) -> [UInt32] {
        let bytes = Array(text.utf8)
        return stride(from: 0, to: bytes.count - 3, by: 4).map { start in
            (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << UInt32(8 * $1) }
        }
    }
}

extension String {
    fileprivate func padding(_ count: Int) -> String {
        self + String(repeating: "\0", count: Swift.max(0, count - utf8.count))
    }
}
