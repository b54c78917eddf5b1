/// One register of one leaf whose bits each stand for a feature.
struct CPUIDFeatureWord {
    enum Register: String {
        case eax
        case ebx
        case ecx
        case edx
    }

    var function: UInt32
    var index: UInt32 = 0
    var register: Register
    /// Bits that follow the guest's control registers or its topology, or whose absence gives a
    /// guest nothing less.
    var ignored: UInt32 = 0
    /// Names by bit, as Linux shows them in /proc/cpuinfo; the rest are named by their place.
    var names: [Int: String] = [:]

    func value(in table: CPUIDTable) -> UInt32 {
        guard let leaf = table.leaf(function, index) else { return 0 }
        return leaf[register] & ~ignored
    }

    func name(ofBit bit: Int) -> String {
        names[bit]
            ?? "CPUID \(hexadecimal(function)).\(index) \(register.rawValue) bit \(bit)"
    }

    /// The place of a feature: the first word that has its name, and the bit there.
    static func place(of feature: String) -> (word: CPUIDFeatureWord, bit: Int)? {
        for word in all {
            if let bit = word.names.first(where: { $0.value == feature })?.key {
                return (word, bit)
            }
        }
        return nil
    }

    /// All words with features; what is not in this list are sizes, numbers and places.
    ///
    /// Sources: Intel SDM volume 2A, CPUID; AMD APM volume 3, appendix E; names from Linux
    /// `arch/x86/include/asm/cpufeatures.h`, those of KVM from
    /// `Documentation/virt/kvm/x86/cpuid.rst`.
    static let all: [CPUIDFeatureWord] = basic + structured + extendedStates + extended
}

extension CPUIDEntry {
    /// One of the four answers.
    subscript(register: CPUIDFeatureWord.Register) -> UInt32 {
        get {
            switch register {
            case .eax: eax
            case .ebx: ebx
            case .ecx: ecx
            case .edx: edx
            }
        }
        set {
            switch register {
            case .eax: eax = newValue
            case .ebx: ebx = newValue
            case .ecx: ecx = newValue
            case .edx: edx = newValue
            }
        }
    }
}

extension CPUIDFeatureWord {
    private static let basic: [CPUIDFeatureWord] = [
        // OSXSAVE follows CR4.
        CPUIDFeatureWord(
            function: 1, register: .ecx, ignored: 1 << 27,
            names: [
                0: "pni", 1: "pclmulqdq", 2: "dtes64", 3: "monitor", 4: "ds_cpl", 5: "vmx",
                6: "smx", 7: "est", 8: "tm2", 9: "ssse3", 10: "cid", 11: "sdbg", 12: "fma",
                13: "cx16", 14: "xtpr", 15: "pdcm", 17: "pcid", 18: "dca", 19: "sse4_1",
                20: "sse4_2", 21: "x2apic", 22: "movbe", 23: "popcnt", 24: "tsc_deadline_timer",
                25: "aes", 26: "xsave", 28: "avx", 29: "f16c", 30: "rdrand", 31: "hypervisor",
            ]),
        // The local APIC can be switched off by the guest; HTT is about topology.
        CPUIDFeatureWord(
            function: 1, register: .edx, ignored: 1 << 9 | 1 << 28,
            names: [
                0: "fpu", 1: "vme", 2: "de", 3: "pse", 4: "tsc", 5: "msr", 6: "pae", 7: "mce",
                8: "cx8", 9: "apic", 11: "sep", 12: "mtrr", 13: "pge", 14: "mca", 15: "cmov",
                16: "pat", 17: "pse36", 18: "pn", 19: "clflush", 21: "dts", 22: "acpi", 23: "mmx",
                24: "fxsr", 25: "sse", 26: "sse2", 27: "ss", 29: "tm", 31: "pbe",
            ]),
        CPUIDFeatureWord(function: 6, register: .eax, names: [2: "arat"]),
    ]

    private static let structured: [CPUIDFeatureWord] = [
        // FDP_EXCPTN_ONLY and ZERO_FCS_FDS say what the processor does not do.
        CPUIDFeatureWord(
            function: 7, register: .ebx, ignored: 1 << 6 | 1 << 13,
            names: [
                0: "fsgsbase", 1: "tsc_adjust", 2: "sgx", 3: "bmi1", 4: "hle", 5: "avx2",
                7: "smep", 8: "bmi2", 9: "erms", 10: "invpcid", 11: "rtm", 12: "cqm", 14: "mpx",
                15: "rdt_a", 16: "avx512f", 17: "avx512dq", 18: "rdseed", 19: "adx", 20: "smap",
                21: "avx512ifma", 23: "clflushopt", 24: "clwb", 25: "intel_pt", 26: "avx512pf",
                27: "avx512er", 28: "avx512cd", 29: "sha_ni", 30: "avx512bw", 31: "avx512vl",
            ]),
        // OSPKE follows CR4.
        CPUIDFeatureWord(
            function: 7, register: .ecx, ignored: 1 << 4,
            names: [
                1: "avx512vbmi", 2: "umip", 3: "pku", 5: "waitpkg", 6: "avx512_vbmi2",
                7: "user_shstk", 8: "gfni", 9: "vaes", 10: "vpclmulqdq", 11: "avx512_vnni",
                12: "avx512_bitalg", 13: "tme", 14: "avx512_vpopcntdq", 16: "la57", 22: "rdpid",
                24: "bus_lock_detect", 25: "cldemote", 27: "movdiri", 28: "movdir64b",
                29: "enqcmd", 30: "sgx_lc",
            ]),
        CPUIDFeatureWord(
            function: 7, register: .edx,
            names: [
                2: "avx512_4vnniw", 3: "avx512_4fmaps", 4: "fsrm", 8: "avx512_vp2intersect",
                9: "srbds_ctrl", 10: "md_clear", 11: "rtm_always_abort", 13: "tsx_force_abort",
                14: "serialize", 15: "hybrid_cpu", 16: "tsxldtrk", 18: "pconfig", 19: "arch_lbr",
                20: "ibt", 22: "amx_bf16", 23: "avx512_fp16", 24: "amx_tile", 25: "amx_int8",
                26: "spec_ctrl", 27: "intel_stibp", 28: "flush_l1d", 29: "arch_capabilities",
                30: "core_capabilities", 31: "spec_ctrl_ssbd",
            ]),
        CPUIDFeatureWord(
            function: 7, index: 1, register: .eax,
            names: [
                0: "sha512", 1: "sm3", 2: "sm4", 4: "avx_vnni", 5: "avx512_bf16", 7: "cmpccxadd",
                10: "fzrm", 11: "fsrs", 12: "fsrc", 21: "amx_fp16", 23: "avx_ifma", 26: "lam",
            ]),
        CPUIDFeatureWord(
            function: 7, index: 1, register: .edx,
            names: [
                4: "avx_vnni_int8", 5: "avx_ne_convert", 8: "amx_complex", 10: "avx_vnni_int16",
                14: "prefetchiti", 19: "avx10",
            ]),
        CPUIDFeatureWord(
            function: 7, index: 2, register: .edx,
            names: [
                0: "psfd", 1: "ipred_ctrl", 2: "rrsba_ctrl", 3: "ddpd_u", 4: "bhi_ctrl",
                5: "mcdt_no",
            ]),
    ]

    private static let extendedStates: [CPUIDFeatureWord] = [
        CPUIDFeatureWord(
            function: 0xd, register: .eax,
            names: CPUIDTable.extendedStateNames.mapValues { "XSAVE component \($0)" }),
        CPUIDFeatureWord(function: 0xd, register: .edx),
        CPUIDFeatureWord(
            function: 0xd, index: 1, register: .eax,
            names: [0: "xsaveopt", 1: "xsavec", 2: "xgetbv1", 3: "xsaves", 4: "xfd"]),
    ]

    private static let extended: [CPUIDFeatureWord] = [
        CPUIDFeatureWord(
            function: 0x4000_0001, register: .eax,
            names: [
                0: "kvm_clocksource", 1: "kvm_nopiodelay", 3: "kvmclock", 4: "kvm_asyncpf",
                5: "kvm_steal_time", 6: "kvm_pv_eoi", 7: "kvm_pv_unhalt", 9: "kvm_pv_tlb_flush",
                10: "kvm_asyncpf_vmexit", 11: "kvm_pv_ipi", 12: "kvm_poll_control",
                13: "kvm_pv_sched_yield", 14: "kvm_asyncpf_int", 15: "kvm_msi_ext_dest_id",
                16: "kvm_hc_map_gpa_range", 17: "kvm_migration_control", 24: "kvmclock_stable",
            ]),
        // CmpLegacy is about topology.
        CPUIDFeatureWord(
            function: 0x8000_0001, register: .ecx, ignored: 1 << 1,
            names: [
                0: "lahf_lm", 2: "svm", 3: "extapic", 4: "cr8_legacy", 5: "abm", 6: "sse4a",
                7: "misalignsse", 8: "3dnowprefetch", 9: "osvw", 10: "ibs", 11: "xop",
                12: "skinit", 13: "wdt", 15: "lwp", 16: "fma4", 17: "tce", 19: "nodeid_msr",
                21: "tbm", 22: "topoext", 23: "perfctr_core", 24: "perfctr_nb", 26: "bpext",
                27: "ptsc", 28: "perfctr_llc", 29: "mwaitx",
            ]),
        // AMD repeats features of leaf 1 here, under the same names; the APIC's as above.
        CPUIDFeatureWord(
            function: 0x8000_0001, register: .edx, ignored: 1 << 9,
            names: [
                0: "fpu", 1: "vme", 2: "de", 3: "pse", 4: "tsc", 5: "msr", 6: "pae", 7: "mce",
                8: "cx8", 11: "syscall", 12: "mtrr", 13: "pge", 14: "mca", 15: "cmov", 16: "pat",
                17: "pse36", 19: "mp", 20: "nx", 22: "mmxext", 23: "mmx", 24: "fxsr",
                25: "fxsr_opt", 26: "pdpe1gb", 27: "rdtscp", 29: "lm", 30: "3dnowext", 31: "3dnow",
            ]),
        CPUIDFeatureWord(function: 0x8000_0007, register: .edx, names: [8: "nonstop_tsc"]),
        CPUIDFeatureWord(
            function: 0x8000_0008, register: .ebx,
            names: [
                0: "clzero", 1: "irperf", 2: "xsaveerptr", 4: "rdpru", 9: "wbnoinvd",
                12: "ibpb", 14: "ibrs", 15: "amd_stibp", 17: "amd_stibp_always_on",
                19: "ibrs_same_mode", 23: "amd_ppin", 24: "amd_ssbd", 25: "virt_ssbd",
                26: "amd_ssb_no", 27: "cppc", 28: "amd_psfd", 29: "btc_no", 30: "amd_ibpb_ret",
            ]),
        CPUIDFeatureWord(
            function: 0x8000_0021, register: .eax,
            names: [
                0: "no_nested_data_bp", 1: "fsgs_non_serializing", 2: "lfence_rdtsc",
                6: "null_sel_clr_base", 8: "autoibrs", 9: "no_smm_ctl_msr", 27: "sbpb",
                28: "ibpb_brtype", 29: "srso_no",
            ]),
    ]
}
