import KVM
import LinuxSystem

/// Saving and restoring a parked processor, in the order that
/// Linux `Documentation/virt/kvm/api.rst` asks for.
extension Processor {
    /// The state of the processor.
    ///
    /// - Parameter savesPointers: whether the kernel offers the page directory pointers.
    func save(
        _ lists: RegisterLists, savesPointers: Bool
    ) throws(SystemError) -> ProcessorState {
        var contents: [[UInt8]] = []
        contents.reserveCapacity(ProcessorState.parts.count)
        // Reading the run state lets a start-up interrupt take effect, and reading the events one
        // that waits with its fault address: both change registers, which are read after them.
        let runState = try hardware.state(.runState)
        let events = try hardware.state(.events)
        for part in ProcessorState.parts {
            switch part {
            case .runState: contents.append(runState)
            case .events: contents.append(events)
            default: contents.append(try hardware.state(part))
            }
        }
        let pointers = savesPointers ? try hardware.state(.specialRegistersWithPointers) : nil
        let nested = try hardware.nestedState()
        let registers = try hardware.modelSpecificRegisters(
            [RegisterLists.timestamp] + lists.saved)
        let counter = registers.first { $0.index == RegisterLists.timestamp }
        return ProcessorState(
            identifier: identifier, contents: contents, specialRegistersWithPointers: pointers,
            nestedState: nested,
            registers: registers.filter { $0.index != RegisterLists.timestamp },
            timestamp: ProcessorState.Timestamp(
                kilohertz: try hardware.timestampFrequency(), value: counter?.value ?? 0,
                offset: try hardware.timestampOffset()))
    }

    /// Restores everything but what writes to guest RAM and the time stamp counter, which must be
    /// right before this is called.
    ///
    /// - Returns: registers with default values that this host does not have.
    func load(
        _ state: ProcessorState, _ lists: RegisterLists, takesPointers: Bool
    ) throws(PlatformError) -> [UInt32] {
        for (part, bytes) in zip(ProcessorState.parts, state.contents) where part != .events {
            if part == .specialRegisters, takesPointers,
                let pointers = state.specialRegistersWithPointers
            {
                try platform { () throws(SystemError) in
                    try hardware.setState(.specialRegistersWithPointers, pointers)
                }
            } else {
                try platform { () throws(SystemError) in try hardware.setState(part, bytes) }
            }
        }
        if let nested = state.nestedState { try setNestedState(nested) }
        let skipped = try setRegisters(lists.early(state.registers), lists)
        if let events = state.contents.last {
            try platform { () throws(SystemError) in try hardware.setState(.events, events) }
        }
        return skipped
    }

    /// Restores what writes to guest RAM.
    ///
    /// - Returns: registers with default values that this host does not have.
    func loadLate(
        _ state: ProcessorState, _ lists: RegisterLists
    ) throws(PlatformError) -> [UInt32] {
        try setRegisters(lists.late(state.registers), lists)
    }

    private func setRegisters(
        _ registers: [ModelSpecificRegister], _ lists: RegisterLists
    ) throws(PlatformError) -> [UInt32] {
        let refused = try platform { () throws(SystemError) in
            try hardware.setModelSpecificRegisters(registers)
        }
        var skipped: [UInt32] = []
        for position in refused {
            let register = registers[position]
            guard lists.isDefault(register) else {
                throw .refusedRegister(
                    index: register.index, value: register.value, processor: identifier)
            }
            skipped.append(register.index)
        }
        return skipped
    }

    /// The guest cannot be a hypervisor, so this state says that there is nothing; a host which
    /// has no place for that need not take it.
    private func setNestedState(_ bytes: [UInt8]) throws(PlatformError) {
        do throws(SystemError) {
            try hardware.setNestedState(bytes)
        } catch {
            // Bits 0 and 1 of the flags: a nested guest runs, or is about to.
            let isIdle = bytes.first.map { $0 & 3 == 0 } ?? true
            guard isIdle else { throw .system(error) }
        }
    }
}
