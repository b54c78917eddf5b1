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
        var featureRegisters: [GuestRegister]
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
        let usesRings = configuration.dirtyTracking == .ring
        try Self.checkCapabilities(
            of: system, processorCount: configuration.processorCount, usesRings: usesRings)
        if usesRings, configuration.triesDirtyRings, try !DirtyRingTrial.succeeds(on: system) {
            throw .unreliableDirtyRings
        }
        let kernel = try platform { () throws(SystemError) in
            let machine = try system.createVirtualMachine()
            try machine.setIdentityMapAddress(PhysicalLayout.identityMap)
            try machine.setTaskStateAddress(PhysicalLayout.taskState)
            if usesRings { try DirtyRings.enable(on: machine) }
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
        try platform { () throws(SystemError) in
            for processor in processors {
                let entries = cpuid.entries(forProcessor: processor.identifier)
                try processor.hardware.setCPUID(entries.map { KVM.CPUIDEntry($0) })
            }
        }
        try setFeatureRegisters(of: processors)
        return try platform { () throws(SystemError) in
            let lists = RegisterLists(
                initial: try processors[0].hardware.modelSpecificRegisters(
                    system.savedRegisters() + RegisterLists.memoryTypes))
            let hostBoot = try HostBoot.identity()
            try launch(processors)
            return Processors(
                processors: processors, cpuid: cpuid,
                featureRegisters: FeatureRegisters.described(of: cpuid, lists.initialValues),
                registerLists: lists, hostBoot: hostBoot)
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

    /// The leaves that came with the guest, if this host can give them, or those of its profile.
    private func guestCPUID(for processor: Processor) throws(PlatformError) -> GuestCPUID {
        let host = try platform { () throws(SystemError) in
            try HostProcessor(
                system, timestampKilohertz: processor.hardware.timestampFrequency())
        }
        let cpuid: GuestCPUID
        if let arrived = configuration.cpuid {
            let missing = host.missingFeatures(
                for: arrived, registers: configuration.registers,
                processorCount: configuration.processorCount)
            guard missing.isEmpty else { throw .missingFeatures(missing) }
            cpuid = arrived
        } else {
            cpuid = try host.cpuid(
                profile: configuration.profile, processorCount: configuration.processorCount,
                maximumAddressBits: configuration.maximumAddressBits)
        }
        let bits = CPUIDTable(cpuid.entries).addressBits
        let end = PhysicalLayout.mmio64(memorySize: memorySize).upperBound
        guard bits >= 64 || end >> UInt64(bits) == 0 || end == 1 << UInt64(bits) else {
            throw .addressBits(Int(bits), needed: end)
        }
        return cpuid
    }

    /// Gives the processors the registers that came with the guest, or those of its baseline; with
    /// all that the host has they keep KVM's. What cannot be set is refused here, before the
    /// guest is paused.
    private func setFeatureRegisters(of processors: [Processor]) throws(PlatformError) {
        let isRequired = configuration.cpuid != nil
        var wanted = configuration.registers
        if !isRequired, configuration.profile != .host {
            let entries = try platform { () throws(SystemError) in try system.supportedCPUID() }
            let vendor = CPUIDTable(entries.map { CPUIDEntry($0) }).vendor
            wanted = CPUBaseline.Vendor(rawValue: vendor).map(FeatureRegisters.ofBaseline) ?? []
        }
        for processor in processors {
            let current = try platform { () throws(SystemError) in
                try processor.hardware.modelSpecificRegisters(wanted.map(\.index))
            }
            for register in wanted {
                let value = current.first { $0.index == register.index }?.value
                // A new guest does not see a register that this KVM does not have.
                guard value != nil || (isRequired && register.value != 0) else { continue }
                guard value != register.value else { continue }
                let refused = try platform { () throws(SystemError) in
                    try processor.hardware.setModelSpecificRegisters([
                        ModelSpecificRegister(index: register.index, value: register.value)
                    ])
                }
                guard refused.isEmpty else {
                    throw .refusedRegister(
                        index: register.index, value: register.value,
                        processor: processor.identifier)
                }
            }
        }
    }

    /// Everything else that differs between kernels is asked for where it is used.
    private static func checkCapabilities(
        of system: borrowing KVMSystem, processorCount: Int, usesRings: Bool
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
        let hasRings =
            system.value(of: .dirtyRing) > 0 || system.value(of: .dirtyRingInOrder) > 0
        if usesRings, !hasRings { throw .missingDirtyRings }
        let limit = system.value(of: .maximumProcessors)
        guard limit == 0 || processorCount <= limit else {
            throw .processorCount(processorCount, limit: limit)
        }
    }
}
