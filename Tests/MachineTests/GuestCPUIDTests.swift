import Testing

@testable import Machine

@Suite struct GuestCPUIDTests {
    private func leaf(
        _ function: UInt32, _ index: UInt32? = nil, eax: UInt32 = 0, ebx: UInt32 = 0,
        ecx: UInt32 = 0, edx: UInt32 = 0
    ) -> CPUIDEntry {
        CPUIDEntry(
            function: function, index: index ?? 0, flags: index == nil ? 0 : 1, eax: eax, ebx: ebx,
            ecx: ecx, edx: edx)
    }

    /// A host with every bit set in the leaves that are looked at.
    private var host: [CPUIDEntry] {
        [
            leaf(0, eax: 0x1f, ebx: 1, ecx: 2, edx: 3),
            leaf(1, ebx: 0x0710_0800, ecx: ~(1 << 31 | 1 << 24), edx: .max),
            leaf(4, 0, eax: 0xffff_c021), leaf(4, 1, eax: 0xffff_c063), leaf(4, 2, eax: 0),
            leaf(7, 0, ebx: .max, ecx: .max, edx: .max), leaf(0xa, eax: 5),
            leaf(0xb, 0, eax: 1, ebx: 2, ecx: 0x100, edx: 9),
            leaf(0xd, 0, eax: 0xe7), leaf(0xd, 1, eax: 0xf, ecx: 0x1800),
            leaf(0xd, 2, eax: 256, ebx: 576), leaf(0xd, 11, eax: 16, ecx: 1),
            leaf(0x15, eax: 2), leaf(0x1f, 0, eax: 1, ebx: 2, ecx: 0x100, edx: 9),
            leaf(0x4000_0000, eax: 0x4000_0002), leaf(0x4000_0001, eax: .max),
            leaf(0x4000_0002, eax: 7), leaf(0x8000_0001, ecx: .max, edx: .max),
            leaf(0x8000_0008, eax: 0x3030, ecx: 0x700f), leaf(0x8000_000a, eax: 1),
            leaf(0x8000_001d, 3, eax: 0x01ff_c163), leaf(0x8000_001e, eax: 7, ebx: 0x0107),
            leaf(0x8000_0022, eax: 1),
        ]
    }

    private func guest(
        processors: Int = 4, kilohertz: UInt32? = 2_700_000, deadline: Bool = true
    ) -> GuestCPUID {
        GuestCPUID(
            supported: host, processorCount: processors, timestampKilohertz: kilohertz,
            hasDeadlineTimer: deadline)
    }

    private func find(
        _ cpuid: [CPUIDEntry], _ function: UInt32, _ index: UInt32 = 0
    ) -> CPUIDEntry? {
        CPUIDTable(cpuid).leaf(function, index)
    }

    @Test func featuresWithUnsavedStateAreHidden() {
        let entries = guest().entries
        #expect(find(entries, 1)?.ecx == ~(1 << 5 | 1 << 6 | 1 << 27))
        #expect(find(entries, 7)?.ebx == ~(1 << 2 | 1 << 25))
        #expect(find(entries, 7)?.ecx == ~(1 << 4 | 1 << 7 | 1 << 30))
        #expect(find(entries, 7)?.edx == ~(1 << 19 | 1 << 20))
        #expect((find(entries, 0x8000_0001)?.ecx ?? .max) & (1 << 2) == 0)
        for function: UInt32 in [0xa, 0x15, 0x8000_000a, 0x8000_0022, 0x4000_0002] {
            #expect(find(entries, function) == nil, "\(hexadecimal(function))")
        }
        #expect(find(entries, 0xd, 1)?.ecx == 0)
        #expect(find(entries, 0xd, 2)?.eax == 256)
        #expect(find(entries, 0xd, 11) == nil)
    }

    @Test func hypervisorLeavesAreThoseOfKVM() {
        let entries = guest().entries
        #expect(
            find(entries, 0x4000_0000)
                == leaf(
                    0x4000_0000, eax: 0x4000_0010, ebx: 0x4b4d_564b, ecx: 0x564b_4d56, edx: 0x4d))
        #expect(find(entries, 0x4000_0001)?.eax == 0x0100_7efb)
        #expect(
            find(entries, 0x4000_0010) == leaf(0x4000_0010, eax: 2_700_000, ebx: 1_000_000))
        let unknown = guest(kilohertz: nil).entries
        #expect(find(unknown, 0x4000_0000)?.eax == 0x4000_0001)
        #expect(find(unknown, 0x4000_0010) == nil)
    }

    @Test func deadlineTimerIsShownWhereTheKernelHasIt() {
        #expect((find(guest().entries, 1)?.ecx ?? 0) & 1 << 24 != 0)
        #expect((find(guest(deadline: false).entries, 1)?.ecx ?? .max) & 1 << 24 == 0)
    }

    @Test(arguments: [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (254, 8)])
    func topologyIsOnePackageOfCores(count: Int, shift: UInt32) {
        let entries = guest(processors: count).entries
        let processors = UInt32(count)
        #expect((find(entries, 1)?.ebx ?? 0) >> 16 & 0xff == processors)
        #expect(find(entries, 0xb, 0) == leaf(0xb, 0, eax: 0, ebx: 1, ecx: 0x100))
        #expect(find(entries, 0xb, 1) == leaf(0xb, 1, eax: shift, ebx: processors, ecx: 0x201))
        #expect(find(entries, 0x1f, 1)?.ebx == processors)
        #expect((find(entries, 4, 0)?.eax ?? 0) >> 14 & 0xfff == 0)
        #expect((find(entries, 4, 1)?.eax ?? 0) >> 14 & 0xfff == processors - 1)
        #expect((find(entries, 4, 1)?.eax ?? 0) >> 26 == min(processors, 64) - 1)
        #expect(find(entries, 4, 2)?.eax == 0)
        #expect(find(entries, 0x8000_0008)?.ecx == shift << 12 | (processors - 1))
        #expect((find(entries, 0x8000_001d, 3)?.eax ?? 0) >> 14 == processors - 1)
    }

    @Test func processorsDifferInTheirIdentifiers() {
        let entries = guest().entries(forProcessor: 3)
        #expect((find(entries, 1)?.ebx ?? 0) >> 24 == 3)
        #expect(find(entries, 0xb, 0)?.edx == 3)
        #expect(find(entries, 0xb, 1)?.edx == 3)
        #expect(find(entries, 0x1f, 1)?.edx == 3)
        #expect(find(entries, 0x8000_001e)?.eax == 3)
        #expect(find(entries, 0x8000_001e)?.ebx == 3)
    }

    @Test func guestFitsItsOwnHost() {
        #expect(guest().missingFeatures(on: guest()) == [])
    }

    @Test func missingFeaturesAreNamed() {
        var poorer = host
        poorer[7].ebx &= ~(1 << 16)  // avx512f
        poorer[1].ecx &= ~(1 << 25)  // aes
        let other = GuestCPUID(
            supported: poorer, processorCount: 4, timestampKilohertz: nil, hasDeadlineTimer: false)
        poorer[5].ebx &= ~(1 << 16)
        #expect(
            guest().missingFeatures(on: other) == ["tsc_deadline_timer", "aes"])
        let bare = GuestCPUID(
            supported: poorer, processorCount: 4, timestampKilohertz: nil, hasDeadlineTimer: true)
        #expect(guest().missingFeatures(on: bare) == ["aes", "avx512f"])
        #expect(other.missingFeatures(on: guest()) == [])
    }

    @Test func vendorAndAddressBitsMustFit() {
        var other = host
        other[0].ebx = 9
        other[18].eax = 0x3027
        let there = GuestCPUID(
            supported: other, processorCount: 4, timestampKilohertz: nil, hasDeadlineTimer: true)
        #expect(
            guest().missingFeatures(on: there)
                == [
                    "processors of the same vendor (?, not ?)",
                    "48 bits of physical address (it has 39)",
                ])
    }
}
