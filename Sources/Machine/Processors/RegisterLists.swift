import KVM

/// Which model-specific registers are saved, and which of them need care when they are restored.
struct RegisterLists: Sendable {
    /// The time stamp counter: restored by its offset, or advanced.
    static let timestamp: UInt32 = 0x10

    /// The deadline of the local APIC's timer: restored last, when the counter is right.
    static let timestampDeadline: UInt32 = 0x6e0

    /// Registers of KVM's paravirtual features whose restoring lets the kernel write to guest RAM:
    /// wall clock and system time in two generations, asynchronous page faults, steal time, end
    /// of interrupt. Source: Linux `Documentation/virt/kvm/x86/msr.rst`.
    static let writingToMemory: Set<UInt32> = [
        0x11, 0x12, 0x4b56_4d00, 0x4b56_4d01, 0x4b56_4d02, 0x4b56_4d03, 0x4b56_4d04,
    ]

    /// The memory type range registers (Intel SDM, volume 3, section 12.11): the kernel keeps them
    /// and leaves them out of its list.
    static let memoryTypes: [UInt32] =
        Array(0x200...0x20f) + [0x250, 0x258, 0x259] + Array(0x268...0x26f) + [0x2ff]

    /// What a new processor of this host has: exactly the registers that can be read, since
    /// asking for others would cost a system call for each.
    let initialValues: [UInt32: UInt64]

    /// The registers to be saved, in the kernel's order, without the time stamp counter.
    let saved: [UInt32]

    /// - Parameter initial: the registers of a new processor, from the kernel's list.
    init(initial: [ModelSpecificRegister]) {
        initialValues = Dictionary(initial.map { ($0.index, $0.value) }) { first, _ in first }
        saved = initial.map(\.index).filter { $0 != Self.timestamp }
    }

    /// The registers to be set before the guest's memory may be touched, the deadline last.
    func early(_ registers: [ModelSpecificRegister]) -> [ModelSpecificRegister] {
        let ordinary = registers.filter {
            !Self.writingToMemory.contains($0.index) && $0.index != Self.timestampDeadline
                && $0.index != Self.timestamp
        }
        return ordinary + registers.filter { $0.index == Self.timestampDeadline }
    }

    /// The registers to be set when the guest is this process's own.
    func late(_ registers: [ModelSpecificRegister]) -> [ModelSpecificRegister] {
        registers.filter { Self.writingToMemory.contains($0.index) }
    }

    /// Whether a value that this host refuses can be left out: a register that nothing was done
    /// to has the same value in every new processor.
    func isDefault(_ register: ModelSpecificRegister) -> Bool {
        register.value == initialValues[register.index] ?? 0 || register.value == 0
    }
}
