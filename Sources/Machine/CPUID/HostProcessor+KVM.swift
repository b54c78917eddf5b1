import KVM
import LinuxSystem

extension HostProcessor {
    /// What this host gives, asked of /dev/kvm. It makes a machine with one processor for it, and
    /// nothing stays of that.
    public static func ofThisHost() throws(PlatformError) -> HostProcessor {
        try platform { () throws(SystemError) in
            let system = try KVMSystem()
            let machine = try system.createVirtualMachine()
            try machine.setIdentityMapAddress(PhysicalLayout.identityMap)
            try machine.setTaskStateAddress(PhysicalLayout.taskState)
            try machine.createInterruptChips()
            let processor = try machine.createProcessor(identifier: 0)
            return try HostProcessor(
                system, timestampKilohertz: processor.timestampFrequency())
        }
    }

    /// What a KVM gives.
    ///
    /// - Parameter timestampKilohertz: the frequency of a new processor's counter.
    init(_ system: borrowing KVMSystem, timestampKilohertz: UInt32) throws(SystemError) {
        self.init(
            supported: try system.supportedCPUID().map { CPUIDEntry($0) },
            timestampKilohertz: timestampKilohertz == 0 ? nil : timestampKilohertz,
            scalesTimestamps: system.value(of: .timestampScaling) != 0,
            hasDeadlineTimer: system.value(of: .timestampDeadlineTimer) != 0,
            featureRegisters: try system.featureRegisters().map {
                GuestRegister(index: $0.index, value: $0.value)
            })
    }
}

extension KVMSystem {
    /// The registers that are saved with a processor: its state, and what it was told of itself.
    func savedRegisters() throws(SystemError) -> [UInt32] {
        let state = try stateRegisters()
        let features = try featureRegisters().map(\.index).filter {
            !state.contains($0) && !FeatureRegisters.ofVMX.contains($0)
        }
        return state + features
    }
}

extension KVMCapability {
    /// The local APIC's timer with a deadline in the time stamp counter.
    static let timestampDeadlineTimer = KVMCapability(rawValue: 72)

    /// Counters of guests that run at another frequency than the host's.
    static let timestampScaling = KVMCapability(rawValue: 60)
}

extension CPUIDEntry {
    /// The leaf as the kernel module has it.
    init(_ entry: KVM.CPUIDEntry) {
        self.init(
            function: entry.function, index: entry.index ?? 0,
            flags: entry.index == nil ? 0 : Self.indexCounts, eax: entry.eax, ebx: entry.ebx,
            ecx: entry.ecx, edx: entry.edx)
    }
}

extension KVM.CPUIDEntry {
    /// The leaf as the kernel module has it.
    init(_ entry: CPUIDEntry) {
        self.init(
            function: entry.function,
            index: entry.flags & CPUIDEntry.indexCounts != 0 ? entry.index : nil,
            eax: entry.eax, ebx: entry.ebx, ecx: entry.ecx, edx: entry.edx)
    }
}
