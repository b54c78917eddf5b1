internal import CLinux
public import LinuxSystem

extension KVMVirtualProcessor {
    /// A part of a processor's state. Its value is the bytes of the kernel's structure, which on
    /// x86-64 are little-endian and the same for every kernel and build.
    public enum StatePart: CaseIterable, Sendable {
        /// General registers, instruction pointer, flags (`kvm_regs`).
        case generalRegisters
        /// Segments, tables, control registers (`kvm_sregs`).
        case specialRegisters
        /// The same and the page directory pointers (`kvm_sregs2`), where the capability
        /// `specialRegistersWithPointers` is offered.
        case specialRegistersWithPointers
        /// Vector and other extended state (`kvm_xsave`), of the size that the host has.
        case extendedState
        /// Which extended state is switched on (`kvm_xcrs`).
        case extendedControlRegisters
        /// Debug registers (`kvm_debugregs`).
        case debugRegisters
        /// The local APIC (`kvm_lapic_state`). Only with chips in the kernel.
        case localAPIC
        /// Whether the processor runs, waits or was not started (`kvm_mp_state`).
        case runState
        /// Exceptions and interrupts under way (`kvm_vcpu_events`).
        case events
    }

    /// How many bytes a part has on this host.
    public func byteCount(of part: StatePart) -> Int {
        switch part {
        case .generalRegisters: MemoryLayout<kvm_regs>.size
        case .specialRegisters: MemoryLayout<kvm_sregs>.size
        case .specialRegistersWithPointers: MemoryLayout<kvm_sregs2>.size
        case .extendedState: extendedStateSize
        case .extendedControlRegisters: MemoryLayout<kvm_xcrs>.size
        case .debugRegisters: MemoryLayout<kvm_debugregs>.size
        case .localAPIC: MemoryLayout<kvm_lapic_state>.size
        case .runState: MemoryLayout<kvm_mp_state>.size
        case .events: MemoryLayout<kvm_vcpu_events>.size
        }
    }

    /// The bytes of a part, `byteCount(of:)` of them.
    public func state(_ part: StatePart) throws(SystemError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: byteCount(of: part))
        // SAFETY: as many bytes as the structure of the request has.
        try unsafe descriptor.request(
            readRequest(part), "read the \(part.name) of", bytes: &bytes)
        return bytes
    }

    /// Sets a part. Extended state of a host that has less of it is completed with zeros.
    /// - Throws: `.invalidArgument` for another number of bytes than the part has.
    public func setState(_ part: StatePart, _ bytes: [UInt8]) throws(SystemError) {
        let operation = "set the \(part.name) of"
        let expected = byteCount(of: part)
        let isShort = part == .extendedState && bytes.count >= MemoryLayout<kvm_xsave>.size
        guard bytes.count == expected || isShort && bytes.count < expected else {
            throw SystemError(
                operation, descriptor.name, .invalidArgument,
                advice: "there are \(bytes.count) bytes of it, and this host has \(expected)")
        }
        var bytes = bytes
        bytes += [UInt8](repeating: 0, count: expected - bytes.count)
        // SAFETY: as many bytes as the structure of the request has.
        try unsafe descriptor.request(part.writeRequest, operation, bytes: &bytes)
    }

    private func readRequest(_ part: StatePart) -> UInt {
        switch part {
        case .generalRegisters: CLINUX_KVM_GET_REGS
        case .specialRegisters: CLINUX_KVM_GET_SREGS
        case .specialRegistersWithPointers: CLINUX_KVM_GET_SREGS2
        case .extendedState:
            // The older request knows no more than its structure.
            extendedStateSize > MemoryLayout<kvm_xsave>.size
                ? CLINUX_KVM_GET_XSAVE2 : CLINUX_KVM_GET_XSAVE
        case .extendedControlRegisters: CLINUX_KVM_GET_XCRS
        case .debugRegisters: CLINUX_KVM_GET_DEBUGREGS
        case .localAPIC: CLINUX_KVM_GET_LAPIC
        case .runState: CLINUX_KVM_GET_MP_STATE
        case .events: CLINUX_KVM_GET_VCPU_EVENTS
        }
    }
}

extension KVMVirtualProcessor.StatePart {
    fileprivate var writeRequest: UInt {
        switch self {
        case .generalRegisters: CLINUX_KVM_SET_REGS
        case .specialRegisters: CLINUX_KVM_SET_SREGS
        case .specialRegistersWithPointers: CLINUX_KVM_SET_SREGS2
        case .extendedState: CLINUX_KVM_SET_XSAVE
        case .extendedControlRegisters: CLINUX_KVM_SET_XCRS
        case .debugRegisters: CLINUX_KVM_SET_DEBUGREGS
        case .localAPIC: CLINUX_KVM_SET_LAPIC
        case .runState: CLINUX_KVM_SET_MP_STATE
        case .events: CLINUX_KVM_SET_VCPU_EVENTS
        }
    }

    fileprivate var name: String {
        switch self {
        case .generalRegisters: "general registers"
        case .specialRegisters: "special registers"
        case .specialRegistersWithPointers: "special registers with pointers"
        case .extendedState: "extended state"
        case .extendedControlRegisters: "extended control registers"
        case .debugRegisters: "debug registers"
        case .localAPIC: "local APIC"
        case .runState: "run state"
        case .events: "events"
        }
    }
}
