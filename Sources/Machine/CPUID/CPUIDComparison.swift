/// Comparing what a guest was told about its processors with what a host can give.
extension GuestCPUID {
    /// What the guest was told and `host` does not have, by name; empty when the guest can run
    /// there. The vendor counts as well, since guests choose their code by it.
    ///
    /// - Parameter host: the leaves that a new guest would get on the host.
    public func missingFeatures(on host: GuestCPUID) -> [String] {
        let here = CPUIDTable(entries)
        let there = CPUIDTable(host.entries)
        var missing: [String] = []
        if let mine = here.leaf(0), let other = there.leaf(0),
            (mine.ebx, mine.ecx, mine.edx) != (other.ebx, other.ecx, other.edx)
        {
            missing.append("processors of the same vendor")
        }
        for word in CPUIDFeatureWord.all {
            var bits = word.value(in: here) & ~word.value(in: there)
            while bits != 0 {
                let bit = bits.trailingZeroBitCount
                missing.append(word.name(ofBit: bit))
                bits &= bits - 1
            }
        }
        let addressBits = (here.addressBits, there.addressBits)
        if addressBits.0 > addressBits.1 {
            missing.append("\(addressBits.0) bits of physical address")
        }
        return missing
    }
}

extension CPUIDTable {
    /// Bits of a physical address; 36 where the leaf is missing, as the manuals say.
    var addressBits: UInt32 { leaf(0x8000_0008).map { $0.eax & 0xff } ?? 36 }
}

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
    /// Bits that follow the guest's control registers, or say nothing about features.
    var ignored: UInt32 = 0
    /// Names by bit, as Linux shows them in /proc/cpuinfo; the rest are named by their place.
    var names: [Int: String] = [:]

    func value(in table: CPUIDTable) -> UInt32 {
        guard let leaf = table.leaf(function, index) else { return 0 }
        let value =
            switch register {
            case .eax: leaf.eax
            case .ebx: leaf.ebx
            case .ecx: leaf.ecx
            case .edx: leaf.edx
            }
        return value & ~ignored
    }

    func name(ofBit bit: Int) -> String {
        names[bit]
            ?? "CPUID \(hexadecimal(function)).\(index) \(register.rawValue) bit \(bit)"
    }

    /// All words with features; what is not in this list are sizes, numbers and places.
    static let all: [CPUIDFeatureWord] = [
        CPUIDFeatureWord(
            function: 1, register: .ecx, ignored: 1 << 27,
            names: [
                0: "pni", 1: "pclmulqdq", 9: "ssse3", 12: "fma", 13: "cx16", 17: "pcid",
                19: "sse4_1", 20: "sse4_2", 21: "x2apic", 22: "movbe", 23: "popcnt",
                24: "tsc_deadline_timer", 25: "aes", 26: "xsave", 28: "avx", 29: "f16c",
                30: "rdrand",
            ]),
        // The local APIC can be switched off by the guest.
        CPUIDFeatureWord(function: 1, register: .edx, ignored: 1 << 9),
        CPUIDFeatureWord(function: 6, register: .eax, names: [2: "arat"]),
        CPUIDFeatureWord(
            function: 7, register: .ebx,
            names: [
                0: "fsgsbase", 1: "tsc_adjust", 3: "bmi1", 5: "avx2", 7: "smep", 8: "bmi2",
                9: "erms", 10: "invpcid", 14: "mpx", 16: "avx512f", 17: "avx512dq", 18: "rdseed",
                19: "adx", 20: "smap", 21: "avx512ifma", 23: "clflushopt", 24: "clwb",
                28: "avx512cd", 29: "sha_ni", 30: "avx512bw", 31: "avx512vl",
            ]),
        CPUIDFeatureWord(
            function: 7, register: .ecx, ignored: 1 << 4,
            names: [
                1: "avx512vbmi", 2: "umip", 3: "pku", 5: "waitpkg", 6: "avx512_vbmi2", 8: "gfni",
                9: "vaes", 10: "vpclmulqdq", 11: "avx512_vnni", 12: "avx512_bitalg",
                14: "avx512_vpopcntdq", 16: "la57", 22: "rdpid",
            ]),
        CPUIDFeatureWord(
            function: 7, register: .edx,
            names: [
                8: "avx512_vp2intersect", 10: "md_clear", 14: "serialize", 22: "amx_bf16",
                23: "avx512_fp16", 24: "amx_tile", 25: "amx_int8", 26: "spec_ctrl",
                27: "stibp", 28: "flush_l1d", 29: "arch_capabilities", 31: "ssbd",
            ]),
        CPUIDFeatureWord(
            function: 7, index: 1, register: .eax, names: [4: "avx_vnni", 5: "avx512_bf16"]),
        CPUIDFeatureWord(function: 7, index: 1, register: .edx),
        CPUIDFeatureWord(function: 7, index: 2, register: .edx),
        CPUIDFeatureWord(function: 0xd, register: .eax),
        CPUIDFeatureWord(function: 0xd, register: .edx),
        CPUIDFeatureWord(
            function: 0xd, index: 1, register: .eax,
            names: [0: "xsaveopt", 1: "xsavec", 2: "xgetbv1", 3: "xsaves"]),
        CPUIDFeatureWord(
            function: 0x4000_0001, register: .eax,
            names: [3: "kvmclock", 5: "kvm_steal_time", 24: "kvmclock_stable"]),
        // CmpLegacy is about topology.
        CPUIDFeatureWord(
            function: 0x8000_0001, register: .ecx, ignored: 1 << 1,
            names: [
                0: "lahf_lm", 5: "abm", 6: "sse4a", 7: "misalignsse", 8: "3dnowprefetch",
                11: "xop", 16: "fma4", 21: "tbm", 22: "topoext",
            ]),
        CPUIDFeatureWord(
            function: 0x8000_0001, register: .edx,
            names: [11: "syscall", 20: "nx", 26: "pdpe1gb", 27: "rdtscp", 29: "lm"]),
        CPUIDFeatureWord(function: 0x8000_0007, register: .edx, names: [8: "nonstop_tsc"]),
        CPUIDFeatureWord(function: 0x8000_0008, register: .ebx),
        CPUIDFeatureWord(function: 0x8000_0021, register: .eax),
    ]
}
