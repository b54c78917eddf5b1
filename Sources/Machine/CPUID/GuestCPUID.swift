/// What CPUID answers in a guest: what the host's KVM supports, without what Martlet cannot save,
/// and with the guest's own topology.
///
/// Sources: Intel SDM volume 2A, CPUID; AMD APM volume 3, appendix E; Linux
/// `Documentation/virt/kvm/x86/cpuid.rst` for the leaves from 0x40000000 on.
public struct GuestCPUID: Hashable, Sendable {
    /// The leaves of the first processor; those of the others differ in their identifiers only.
    public let entries: [CPUIDEntry]

    /// Leaves that came with a guest, to be checked with `missingFeatures` before they are used.
    public init(entries: [CPUIDEntry]) {
        self.entries = entries
    }

    /// The leaves for a new guest on this host.
    ///
    /// - Parameters:
    ///   - supported: what KVM_GET_SUPPORTED_CPUID answers.
    ///   - processorCount: processors of the guest, from 1 to 254.
    ///   - timestampKilohertz: the frequency of the guest's TSC, if it is known.
    ///   - hasDeadlineTimer: whether the kernel's local APIC has the TSC-deadline timer, which the
    ///     supported leaves do not tell.
    public init(
        supported: [CPUIDEntry], processorCount: Int, timestampKilohertz: UInt32?,
        hasDeadlineTimer: Bool
    ) {
        var table = CPUIDTable(supported)
        table.hideUnsavedFeatures()
        table.update(1) { leaf in
            leaf.ecx |= 1 << 31  // a hypervisor is present
            if hasDeadlineTimer { leaf.ecx |= 1 << 24 }
        }
        table.setHypervisorLeaves(
            features: table.leaf(0x4000_0001)?.eax ?? 0, timestampKilohertz: timestampKilohertz)
        table.setTopology(processorCount: UInt32(clamping: processorCount))
        entries = table.entries
    }

    /// The same leaves with fewer bits of physical address, where a limit is lower.
    func limited(addressBits limit: Int?) -> GuestCPUID {
        guard let limit = limit.flatMap({ UInt32(exactly: $0) }) else { return self }
        var table = CPUIDTable(entries)
        table.update(0x8000_0008) { leaf in
            // AMD has a second number, for what a nested page table reaches; 0 stands for none.
            let nested = min(leaf.eax >> 16 & 0xff, limit)
            leaf.eax = leaf.eax & 0xff00_ff00 | nested << 16 | min(leaf.eax & 0xff, limit)
        }
        return GuestCPUID(entries: table.entries)
    }

    /// The leaves of one processor.
    ///
    /// - Parameter identifier: its number and the identifier of its local APIC.
    public func entries(forProcessor identifier: UInt32) -> [CPUIDEntry] {
        var table = CPUIDTable(entries)
        table.setIdentifier(identifier)
        return table.entries
    }
}

extension CPUIDTable {
    /// Leaves that say nothing a guest may rely on: monitor, performance counters, SGX, processor
    /// trace, the host's own frequencies (a guest's can be scaled), last branch records, SVM,
    /// encrypted memory, performance counters of AMD, and a topology that is not the guest's.
    private static let hiddenLeaves: Set<UInt32> = [
        0x5, 0xa, 0x12, 0x14, 0x15, 0x16, 0x1c, 0x8000_000a, 0x8000_001f, 0x8000_0022,
        0x8000_0026,
    ]

    /// Paravirtual features whose state is saved: clocks, no delay for ports, asynchronous page
    /// faults, steal time, end of interrupt, halt and yield hints, remote flushes and IPIs.
    private static let paravirtualFeatures: UInt32 = 0x0100_7efb

    /// Hides what has state that is not saved, and what is not the guest's business.
    mutating func hideUnsavedFeatures() {
        remove { Self.hiddenLeaves.contains($0.function) }
        update(1) { leaf in
            // VMX and SMX: their state is nested state. OSXSAVE follows CR4, by the kernel.
            leaf.ecx &= ~(1 << 5 | 1 << 6 | 1 << 27)
        }
        update(7) { leaf in
            guard leaf.index == 0 else { return }
            leaf.ebx &= ~(1 << 2 | 1 << 25)  // SGX, processor trace
            leaf.ecx &= ~(1 << 4 | 1 << 7 | 1 << 30)  // OSPKE follows CR4; shadow stacks; SGX
            leaf.edx &= ~(1 << 19 | 1 << 20)  // last branch records, indirect branch tracking
        }
        // Supervisor state components have no place in the saved XSAVE area.
        remove { $0.function == 0xd && $0.index >= 2 && $0.ecx & 1 != 0 }
        update(0xd) { leaf in
            guard leaf.index == 1 else { return }
            leaf.ecx = 0
            leaf.edx = 0
        }
        update(0x8000_0001) { leaf in
            // SVM, sampling, SKINIT, watchdog, lightweight profiling, performance counters.
            leaf.ecx &= ~(1 << 2 | 1 << 10 | 1 << 12 | 1 << 13 | 1 << 15 | 1 << 23 | 1 << 24)
            leaf.ecx &= ~(1 << 28)
        }
    }

    /// Tells the guest that it runs on KVM, and how fast its counter is.
    mutating func setHypervisorLeaves(features: UInt32, timestampKilohertz: UInt32?) {
        remove { (0x4000_0000..<0x5000_0000).contains($0.function) }
        let last: UInt32 = timestampKilohertz == nil ? 0x4000_0001 : 0x4000_0010
        // "KVMKVMKVM" and three zeros.
        replace(0x4000_0000, eax: last, ebx: 0x4b4d_564b, ecx: 0x564b_4d56, edx: 0x4d)
        replace(
            0x4000_0001, eax: features & Self.paravirtualFeatures, ebx: 0, ecx: 0, edx: 0)
        if let timestampKilohertz {
            // The local APIC's timer counts nanoseconds.
            replace(0x4000_0010, eax: timestampKilohertz, ebx: 1_000_000, ecx: 0, edx: 0)
        }
    }

    /// One package of `processorCount` cores with one thread each.
    mutating func setTopology(processorCount count: UInt32) {
        let shift = UInt32(UInt32.bitWidth - (max(count, 1) - 1).leadingZeroBitCount)
        update(1) { leaf in
            leaf.ebx = leaf.ebx & 0x0000_ffff | min(count, 255) << 16
            leaf.edx = leaf.edx & ~(1 << 28) | (count > 1 ? 1 << 28 : 0)
        }
        update(4) { leaf in
            leaf.eax &= 0x0000_3fff
            guard leaf.eax & 0x1f != 0 else { return }
            leaf.eax |= (min(count, 64) - 1) << 26 | Self.sharing(of: leaf.eax, count) << 14
        }
        update(0x8000_001d) { leaf in
            leaf.eax = leaf.eax & 0x0000_3fff | Self.sharing(of: leaf.eax, count) << 14
        }
        let levels: [(eax: UInt32, ebx: UInt32, ecx: UInt32, edx: UInt32)] = [
            (0, 1, 1 << 8, 0), (shift, count, 2 << 8 | 1, 0), (0, 0, 2, 0),
        ]
        if let basic = leaf(0), basic.eax >= 0xb { replace(0xb, subleaves: levels) }
        if let basic = leaf(0), basic.eax >= 0x1f { replace(0x1f, subleaves: levels) }
        update(0x8000_0001) { leaf in
            leaf.ecx = leaf.ecx & ~(1 << 1) | (count > 1 ? 1 << 1 : 0)
        }
        update(0x8000_0008) { $0.ecx = shift << 12 | (count - 1) }
        setIdentifier(0)
    }

    /// Puts the identifier of one processor into all leaves that have it.
    mutating func setIdentifier(_ identifier: UInt32) {
        update(1) { $0.ebx = $0.ebx & 0x00ff_ffff | identifier << 24 }
        update(0xb) { $0.edx = identifier }
        update(0x1f) { $0.edx = identifier }
        update(0x8000_001e) { leaf in
            leaf.eax = identifier
            leaf.ebx = identifier & 0xff
            leaf.ecx = 0
        }
    }

    /// How many more processors share a cache: none, or all for one of the third level.
    private static func sharing(of eax: UInt32, _ count: UInt32) -> UInt32 {
        eax >> 5 & 7 >= 3 ? count - 1 : 0
    }
}
