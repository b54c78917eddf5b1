/// The general registers, as a boot loader sets them: `registers[.rip] = entry`.
public struct GeneralRegisters: Equatable, Sendable {
    /// A register, in the order of `struct kvm_regs`.
    public enum Name: Int, CaseIterable, Sendable {
        /// The registers that instructions compute with.
        case rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, r8, r9, r10, r11, r12, r13, r14, r15
        /// The instruction pointer.
        case rip
        /// The flags; bit 1 is always set.
        case rflags
    }

    private var values: [UInt64]

    /// All registers 0, and the flags 2.
    public init() {
        values = [UInt64](repeating: 0, count: Name.allCases.count)
        self[.rflags] = 2
    }

    /// The registers in the bytes of `KVMVirtualProcessor.StatePart.generalRegisters`, or nil for
    /// another number of bytes.
    public init?(bytes: [UInt8]) {
        guard bytes.count == 8 * Name.allCases.count else { return nil }
        values = Name.allCases.indices.map { register in
            (0..<8).reduce(0) { $0 | UInt64(bytes[8 * register + $1]) << UInt64(8 * $1) }
        }
    }

    /// The bytes of `KVMVirtualProcessor.StatePart.generalRegisters`.
    public var bytes: [UInt8] {
        values.flatMap { value in
            (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
        }
    }

    /// The value of a register.
    public subscript(name: Name) -> UInt64 {
        get { values[name.rawValue] }
        set { values[name.rawValue] = newValue }
    }
}
