internal import CLinux
public import LinuxSystem

/// The guest's paravirtual clock, which counts nanoseconds since the guest was started.
public struct KVMClock: Hashable, Sendable {
    /// The time of the guest.
    public var nanoseconds: UInt64
    /// The host's wall clock at that time, in nanoseconds since 1970, where the kernel tells it.
    /// When it is given to another machine, the clock is advanced by the time since then.
    public var realtime: UInt64?
    /// The host's time stamp counter at that time, where the kernel tells it.
    public var hostTimestamp: UInt64?

    /// A time with what belongs to it.
    public init(nanoseconds: UInt64, realtime: UInt64? = nil, hostTimestamp: UInt64? = nil) {
        self.nanoseconds = nanoseconds
        self.realtime = realtime
        self.hostTimestamp = hostTimestamp
    }
}

extension KVMVirtualMachine {
    /// The clock now. It goes on whether processors run or not.
    public func clock() throws(SystemError) -> KVMClock {
        var data = kvm_clock_data()
        // SAFETY: the structure of this request.
        try unsafe descriptor.request(CLINUX_KVM_GET_CLOCK, "read the clock of", &data)
        return KVMClock(
            nanoseconds: data.clock,
            realtime: data.flags & CLINUX_KVM_CLOCK_REALTIME != 0 ? data.realtime : nil,
            hostTimestamp: data.flags & CLINUX_KVM_CLOCK_HOST_TSC != 0 ? data.host_tsc : nil)
    }

    /// Sets the clock, and advances it by the time since its `realtime` if it has one and the
    /// kernel can.
    public func setClock(_ clock: KVMClock) throws(SystemError) {
        var data = kvm_clock_data()
        data.clock = clock.nanoseconds
        if let realtime = clock.realtime,
            value(of: .adjustClock) & Int(CLINUX_KVM_CLOCK_REALTIME) != 0
        {
            data.realtime = realtime
            data.flags = CLINUX_KVM_CLOCK_REALTIME
        }
        // SAFETY: the structure of this request.
        try unsafe descriptor.request(CLINUX_KVM_SET_CLOCK, "set the clock of", &data)
    }

    /// A chip of the machine, whose state is the bytes of the kernel's structure.
    public enum Chip: UInt32, CaseIterable, Sendable {
        /// The 8259 with the interrupts 0 to 7.
        case primaryPIC = 0
        /// The 8259 with the interrupts 8 to 15.
        case secondaryPIC = 1
        /// The IOAPIC.
        case ioAPIC = 2
        /// The interval timer.
        case intervalTimer = 3

        /// How many bytes the state has.
        public var byteCount: Int {
            switch self {
            case .primaryPIC, .secondaryPIC, .ioAPIC: MemoryLayout<kvm_irqchip>.size
            case .intervalTimer: MemoryLayout<kvm_pit_state2>.size
            }
        }

        fileprivate var name: String {
            switch self {
            case .primaryPIC: "primary PIC"
            case .secondaryPIC: "secondary PIC"
            case .ioAPIC: "IOAPIC"
            case .intervalTimer: "interval timer"
            }
        }
    }

    /// The state of a chip, `chip.byteCount` bytes.
    public func state(of chip: Chip) throws(SystemError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: chip.byteCount)
        let number = chip == .intervalTimer ? CLINUX_KVM_GET_PIT2 : CLINUX_KVM_GET_IRQCHIP
        chip.identify(&bytes)
        // SAFETY: as many bytes as the structure of this request has.
        try unsafe descriptor.request(number, "read the \(chip.name) of", bytes: &bytes)
        return bytes
    }

    /// Sets the state of a chip.
    /// - Throws: `.invalidArgument` unless there are `chip.byteCount` bytes.
    public func setState(of chip: Chip, _ bytes: [UInt8]) throws(SystemError) {
        let operation = "set the \(chip.name) of"
        guard bytes.count == chip.byteCount else {
            throw SystemError(operation, descriptor.name, .invalidArgument)
        }
        var bytes = bytes
        let number = chip == .intervalTimer ? CLINUX_KVM_SET_PIT2 : CLINUX_KVM_SET_IRQCHIP
        chip.identify(&bytes)
        // SAFETY: as many bytes as the structure of this request has.
        try unsafe descriptor.request(number, operation, bytes: &bytes)
    }
}

extension KVMVirtualMachine.Chip {
    /// Puts the chip's number where `struct kvm_irqchip` has it, so that state that was made for
    /// another chip cannot reach that one.
    fileprivate func identify(_ bytes: inout [UInt8]) {
        if self != .intervalTimer { bytes[0] = UInt8(rawValue) }
    }
}
