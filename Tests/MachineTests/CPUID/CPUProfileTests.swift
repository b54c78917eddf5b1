import Testing

@testable import Machine

@Suite struct CPUProfileTests {
    private static let baselines = CPUProfile.allCases.filter { $0 != .host }

    private func leaf(_ cpuid: GuestCPUID, _ function: UInt32, _ index: UInt32 = 0) -> [UInt32] {
        guard let leaf = CPUIDTable(cpuid.entries).leaf(function, index) else { return [] }
        return [leaf.eax, leaf.ebx, leaf.ecx, leaf.edx]
    }

    /// The same host, but with a counter of the frequency that all share in a test.
    private func level(_ host: HostProcessor) -> HostProcessor {
        var host = host
        host.timestampKilohertz = 2_000_000
        return host
    }

    @Test(arguments: baselines)
    func everyNameInABaselineHasAPlace(profile: CPUProfile) throws {
        let features = try #require(profile.baseline).features
        for feature in features {
            #expect(CPUIDFeatureWord.place(of: feature) != nil, "\(feature)")
        }
        #expect(Set(features).count == features.count)
    }

    @Test func namesMeanOneFeature() {
        // AMD repeats leaf 1; nothing else has a name twice.
        var names: [String: Int] = [:]
        for word in CPUIDFeatureWord.all where word.register != .edx || word.function != 1 {
            for name in word.names.values { names[name, default: 0] += 1 }
        }
        #expect(names.filter { $0.value > 1 }.isEmpty)
    }

    @Test func levelsAreThoseOfThePsABI() throws {
        func new(_ profile: CPUProfile, since older: CPUProfile) throws -> Set<String> {
            Set(try #require(profile.baseline).features)
                .subtracting(try #require(older.baseline).features)
        }
        #expect(
            try new(.level2, since: .level1).isSuperset(of: [
                "cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3",
            ]))
        #expect(
            try new(.level3, since: .level2).isSuperset(of: [
                "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave",
            ]))
        #expect(
            try new(.level4, since: .level3).isSuperset(of: [
                "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl",
            ]))
    }

    @Test(arguments: [CPUProfile.level1, .level2, .level3])
    func unlikeHostsOfOneVendorAnswerTheSame(profile: CPUProfile) throws {
        let hosts = [HostProcessor.zen2, .zen4, .emulated].map(level)
        let answers = try hosts.map { host throws(PlatformError) in
            try host.cpuid(profile: profile, processorCount: 4, maximumAddressBits: 46)
        }
        #expect(answers[0] == answers[1])
        #expect(answers[0] == answers[2])
        let whole = try hosts.map { host throws(PlatformError) in
            try host.cpuid(profile: .host, processorCount: 4)
        }
        #expect(whole[0] != whole[1])
    }

    /// Leaf by leaf what a guest with `x86-64-v3` is told on AMD's processors.
    @Test func goldenLeavesOfLevel3() throws {
        let cpuid = try HostProcessor.zen4.cpuid(profile: .level3, processorCount: 2)
        let golden: [(UInt32, UInt32, [UInt32])] = [
            (0, 0, [0xd, 0x6874_7541, 0x444d_4163, 0x6974_6e65]),
            (1, 0, [0x0080_0f12, 0x0002_0800, 0xf7f8_3203, 0x178b_fbfd]),
            (6, 0, [4, 0, 0, 0]), (7, 0, [0, 0x0000_01ab, 0, 0]),
            (0xd, 0, [7, 832, 832, 0]), (0xd, 1, [1, 0, 0, 0]), (0xd, 2, [256, 576, 0, 0]),
            (0x4000_0000, 0, [0x4000_0010, 0x4b4d_564b, 0x564b_4d56, 0x4d]),
            (0x4000_0001, 0, [0x0100_7efb, 0, 0, 0]),
            (0x8000_0000, 0, [0x8000_0008, 0x6874_7541, 0x444d_4163, 0x6974_6e65]),
            (0x8000_0001, 0, [0x0080_0f12, 0, 0x23, 0x2d93_fbfd]),
            (0x8000_0007, 0, [0, 0, 0, 0]), (0x8000_0008, 0, [0x3028, 0, 0x1001, 0]),
        ]
        for (function, index, words) in golden {
            #expect(leaf(cpuid, function, index) == words, "\(hexadecimal(function)).\(index)")
        }
        #expect(
            Set(cpuid.entries.map(\.function)) == [
                0, 1, 3, 5, 6, 7, 0xb, 0xd, 0x4000_0000, 0x4000_0001, 0x4000_0010, 0x8000_0000,
                0x8000_0001, 0x8000_0002, 0x8000_0003, 0x8000_0004, 0x8000_0005, 0x8000_0006,
                0x8000_0007, 0x8000_0008,
            ])
    }

    @Test func extendedStatesLieWhereTheVendorHasThem() throws {
        let amd = try HostProcessor.zen4.cpuid(profile: .level4, processorCount: 1)
        #expect(leaf(amd, 0xd) == [0xe7, 2432, 2432, 0])
        #expect(leaf(amd, 0xd, 5) == [64, 832, 0, 0])
        let intel = try HostProcessor.skylake.cpuid(profile: .level4, processorCount: 1)
        #expect(leaf(intel, 0xd) == [0xe7, 2688, 2688, 0])
        #expect(leaf(intel, 0xd, 5) == [64, 1088, 0, 0])
        #expect(leaf(intel, 0xd, 9) == [])
    }

    @Test func whatAHostLacksIsNamed() {
        let third = [
            "fma", "movbe", "f16c", "rdrand", "fsgsbase", "bmi1", "avx2", "smep", "bmi2", "abm",
        ]
        #expect(HostProcessor.sandyBridge.missingFeatures(for: .level2) == [])
        #expect(HostProcessor.sandyBridge.missingFeatures(for: .level3) == third)
        #expect(HostProcessor.skylake.missingFeatures(for: .level4) == [])
        #expect(
            HostProcessor.zen2.missingFeatures(for: .level4) == [
                "pcid", "erms", "invpcid", "avx512f", "avx512dq", "avx512cd", "avx512bw",
                "avx512vl", "XSAVE component opmask", "XSAVE component zmm_hi256",
                "XSAVE component hi16_zmm",
            ])
        #expect(HostProcessor.emulated.missingFeatures(for: .level3) == [])
        #expect(HostProcessor.emulated.missingFeatures(for: .level4).contains("avx512f"))
        #expect(
            HostProcessor.emulated.missingFeatures(for: .level4)
                .contains("46 bits of physical address (it has 40)"))
        #expect(HostProcessor.software.missingFeatures(for: .level1) == [])
        #expect(
            HostProcessor.software.missingFeatures(for: .level2)
                == ["pni", "ssse3", "sse4_1", "sse4_2", "popcnt", "rdtscp"])
    }

    @Test func guestOfAHostIsComparedInBothDirections() throws {
        let old = try HostProcessor.zen2.cpuid(profile: .host, processorCount: 1)
        let new = try HostProcessor.zen4.cpuid(profile: .host, processorCount: 1)
        // More features do not help where the same registers lie elsewhere; the counters differ.
        #expect(
            HostProcessor.zen4.missingFeatures(for: old) == [
                "XSAVE component pkru of 8 bytes at offset 832 (it has 8 bytes at 2432)",
                "a time stamp counter of 2245780 kHz (it runs at 2396000 kHz, and these "
                    + "processors or their KVM cannot scale it)",
            ])
        let missing = HostProcessor.zen2.missingFeatures(for: new)
        for name in ["pku", "avx512f", "fsrm", "52 bits of physical address (it has 48)"] {
            #expect(missing.contains(name), "\(name)")
        }
        #expect(!missing.contains("avx2"))
    }

    @Test func vendorsAreNotCrossed() throws {
        let guest = try level(.zen4).cpuid(profile: .level3, processorCount: 1)
        #expect(
            level(.skylake).missingFeatures(for: guest).first
                == "processors of the same vendor (AuthenticAMD, not GenuineIntel)")
        var other = HostProcessor.zen4
        other.supported[0].ebx = 0x6f67_7948
        #expect(
            other.missingFeatures(for: .level3) == [
                "processors of a vendor with baselines (GenuineIntel or AuthenticAMD, not "
                    + "HygoenticAMD)"
            ])
    }

    @Test func frequencyCountsWhereItCannotBeScaled() throws {
        var host = HostProcessor.zen4
        let guest = try host.cpuid(profile: .level3, processorCount: 1)
        #expect(host.missingFeatures(for: guest) == [])
        // 240 millionths: KVM takes it for the same.
        host.timestampKilohertz = 2_396_575
        #expect(host.missingFeatures(for: guest) == [])
        host.timestampKilohertz = 2_397_000
        #expect(host.missingFeatures(for: guest).count == 1)
        host.scalesTimestamps = true
        #expect(host.missingFeatures(for: guest) == [])
    }

    @Test func addressBitsAreLimited() throws {
        let host = HostProcessor.zen4
        let whole = try host.cpuid(profile: .host, processorCount: 1, maximumAddressBits: 46)
        #expect(leaf(whole, 0x8000_0008)[0] == 0x302e)
        let third = try host.cpuid(profile: .level3, processorCount: 1, maximumAddressBits: 38)
        #expect(leaf(third, 0x8000_0008)[0] == 0x3026)
    }

    @Test func capabilitiesThatTheGuestWasToldOfAreNamed() throws {
        let index = FeatureRegisters.architecturalCapabilities
        var host = HostProcessor.zen4
        host.featureRegisters = [GuestRegister(index: index, value: 1 << 0 | 1 << 6)]
        let guest = try host.cpuid(profile: .host, processorCount: 1)
        func missing(_ value: UInt64) -> [String] {
            host.missingFeatures(
                for: guest, registers: [GuestRegister(index: index, value: value)])
        }
        #expect(missing(1 << 0) == [])
        // RSBA is no ability.
        #expect(missing(1 << 0 | 1 << 2) == [])
        #expect(missing(1 << 0 | 1 << 5 | 1 << 63) == ["mds_no", "IA32_ARCH_CAPABILITIES bit 63"])
    }
}
