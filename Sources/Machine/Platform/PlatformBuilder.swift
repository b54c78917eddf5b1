import GuestMemory
import KVM
import LinuxSystem

/// Builds the parts of a machine that live in the kernel.
struct PlatformBuilder: ~Copyable {
    let kernel: KernelMachine

    private let system: KVMSystem
    private let configuration: PlatformConfiguration
    private let memorySize: UInt64

    /// What `makeProcessors` makes.
    struct Processors {
        var processors: [Processor]
        var cpuid: GuestCPUID
        var registerLists: RegisterLists
        var hostBoot: String
    }

    /// Makes the machine with its memory and interrupt chips.
    init(configuration: PlatformConfiguration, memory: GuestRAM) throws(PlatformError) {
        let limit = PlatformConfiguration.processorLimit
        guard (1...limit).contains(configuration.processorCount) else {
            throw .processorCount(configuration.processorCount, limit: limit)
        }
        let system = try platform { () throws(SystemError) in try KVMSystem() }
        try Self.checkCapabilities(of: system, processorCount: configuration.processorCount)
        let kernel = try platform { () throws(SystemError) in
            let machine = try system.createVirtualMachine()
            try machine.setIdentityMapAddress(PhysicalLayout.identityMap)
            try machine.setTaskStateAddress(PhysicalLayout.taskState)
            try machine.createInterruptChips()
            try machine.createIntervalTimer()
            for region in memory.regions {
                try machine.setMemory(
                    slot: region.layout.slot, address: region.layout.start.rawValue,
                    segment: region.segment)
            }
            return KernelMachine(machine)
        }
        self.kernel = kernel
        self.system = system
        self.configuration = configuration
        memorySize = memory.byteCount
    }

    /// Makes the processors and starts their threads.
    func makeProcessors(
        ports: IOBus, memory: IOBus, report: @escaping @Sendable (GuestEvent) -> Void
    ) throws(PlatformError) -> Processors {
        let processors = try platform { () throws(SystemError) in
            var processors: [Processor] = []
            for identifier in 0..<UInt32(configuration.processorCount) {
                processors.append(
                    try Processor(
                        identifier: identifier,
                        hardware: kernel.machine.createProcessor(identifier: identifier),
                        ports: ports, memory: memory, report: report))
            }
            return processors
        }
        let cpuid = try guestCPUID(for: processors[0])
        return try platform { () throws(SystemError) in
            for processor in processors {
                let entries = cpuid.entries(forProcessor: processor.identifier)
                try processor.hardware.setCPUID(entries.map { KVM.CPUIDEntry($0) })
            }
            let lists = RegisterLists(
                initial: try processors[0].hardware.modelSpecificRegisters(
                    system.stateRegisters()))
            let hostBoot = try HostBoot.identity()
            try launch(processors)
            return Processors(
                processors: processors, cpuid: cpuid, registerLists: lists, hostBoot: hostBoot)
        }
    }

    /// Starts the threads, all or none.
    private func launch(_ processors: [Processor]) throws(SystemError) {
        do throws(SystemError) {
            for processor in processors { try processor.launch() }
        } catch {
            for processor in processors { processor.end() }
            throw error
        }
    }

    /// The leaves that came with the guest, if this host can give them, or what this host has.
    private func guestCPUID(for processor: Processor) throws(PlatformError) -> GuestCPUID {
        let host = try platform { () throws(SystemError) in
            GuestCPUID(
                supported: try system.supportedCPUID().map { CPUIDEntry($0) },
                processorCount: configuration.processorCount,
                timestampKilohertz: try processor.hardware.timestampFrequency(),
                hasDeadlineTimer: system.value(of: .timestampDeadlineTimer) != 0)
        }
        let cpuid = configuration.cpuid ?? host
        let missing = cpuid.missingFeatures(on: host)
        guard missing.isEmpty else { throw .missingFeatures(missing) }
        let bits = CPUIDTable(cpuid.entries).addressBits
        let end = PhysicalLayout.mmio64(memorySize: memorySize).upperBound
        guard bits >= 64 || end >> UInt64(bits) == 0 || end == 1 << UInt64(bits) else {
            throw .addressBits(Int(bits), needed: end)
        }
        return cpuid
    }

    /// Everything else that differs between kernels is asked for where it is used.
    private static func checkCapabilities(
        of system: borrowing KVMSystem, processorCount: Int
    ) throws(PlatformError) {
        let needed: [(KVMCapability, String)] = [
            (.interruptChips, "interrupt chips in the kernel"),
            (.intervalTimer, "the interval timer"),
            (.interruptEvents, "interrupts by event"),
            (.writeEvents, "events for writes"),
            (.immediateExit, "immediate exits"),
        ]
        for (capability, name) in needed where system.value(of: capability) == 0 {
            throw .missingCapability(name)
        }
        let limit = system.value(of: .maximumProcessors)
        guard limit == 0 || processorCount <= limit else {
            throw .processorCount(processorCount, limit: limit)
        }
    }
}

extension KVMCapability {
    /// The local APIC's timer with a deadline in the time stamp counter.
    static let timestampDeadlineTimer = KVMCapability(rawValue: 72)
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
