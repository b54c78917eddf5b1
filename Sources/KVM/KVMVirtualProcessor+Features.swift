internal import CLinux
public import LinuxSystem

extension KVMVirtualProcessor {
    /// Sets what CPUID answers. Before the first run.
    public func setCPUID(_ entries: [CPUIDEntry]) throws(SystemError) {
        let operation = "set the CPUID of"
        guard entries.count <= CPUIDEntry.maximumCount else {
            throw SystemError(operation, descriptor.name, .listTooLong)
        }
        var list = ListRequest(entries.map(\.kernel))
        let result = list.perform(CLINUX_KVM_SET_CPUID2, on: descriptor)
        guard result >= 0 else {
            throw SystemError(operation, descriptor.name, Errno(rawValue: -result))
        }
    }

    /// What CPUID answers, as the kernel keeps it.
    public func cpuid() throws(SystemError) -> [CPUIDEntry] {
        let empty = CPUIDEntry(function: 0, eax: 0, ebx: 0, ecx: 0, edx: 0).kernel
        var list = ListRequest(
            [kvm_cpuid_entry2](repeating: empty, count: CPUIDEntry.maximumCount))
        let result = list.perform(CLINUX_KVM_GET_CPUID2, on: descriptor)
        guard result >= 0 else {
            throw SystemError("read the CPUID of", descriptor.name, Errno(rawValue: -result))
        }
        return list.results.map { CPUIDEntry($0) }
    }

    /// Reads those of the model-specific registers that this processor has, in the order given.
    public func modelSpecificRegisters(
        _ indices: [UInt32]
    ) throws(SystemError) -> [ModelSpecificRegister] {
        try descriptor.readRegisters(indices)
    }

    /// Sets model-specific registers, in the order given.
    /// - Returns: The positions of those that this processor refused.
    public func setModelSpecificRegisters(
        _ registers: [ModelSpecificRegister]
    ) throws(SystemError) -> [Int] {
        try descriptor.writeRegisters(registers)
    }

    /// The frequency of the guest's time stamp counter, in kHz.
    public func timestampFrequency() throws(SystemError) -> UInt32 {
        UInt32(
            clamping: try descriptor.request(
                CLINUX_KVM_GET_TSC_KHZ, "read the TSC frequency of"))
    }

    /// Sets the frequency of the guest's time stamp counter, in kHz. Without scaling in hardware
    /// only frequencies near the host's own are taken.
    public func setTimestampFrequency(_ kilohertz: UInt32) throws(SystemError) {
        _ = try descriptor.request(
            CLINUX_KVM_SET_TSC_KHZ, "set the TSC frequency of", value: UInt(kilohertz))
    }

    /// What is added to the host's time stamp counter (scaled) to give the guest's; nil where the
    /// kernel does not tell.
    public func timestampOffset() throws(SystemError) -> UInt64? {
        var offset: UInt64 = 0
        let isOffered = try withTimestampOffset(&offset, CLINUX_KVM_GET_DEVICE_ATTR, "read")
        return isOffered ? offset : nil
    }

    /// Sets the offset of the guest's time stamp counter.
    /// - Returns: Whether the processor has it now: a KVM without hardware support may take the
    ///   offset and leave the counter what the host's is.
    public func setTimestampOffset(_ offset: UInt64) throws(SystemError) -> Bool {
        var wanted = offset
        guard try withTimestampOffset(&wanted, CLINUX_KVM_SET_DEVICE_ATTR, "set") else {
            return false
        }
        return try timestampOffset() == offset
    }

    private func withTimestampOffset(
        _ offset: inout UInt64, _ number: UInt, _ verb: String
    ) throws(SystemError) -> Bool {
        var result: Int32 = 0
        unsafe withUnsafeMutablePointer(to: &offset) { place in
            var attribute = kvm_device_attr()
            attribute.group = UInt32(KVM_VCPU_TSC_CTRL)
            attribute.attr = UInt64(KVM_VCPU_TSC_OFFSET)
            attribute.addr = UInt64(UInt(bitPattern: place))
            // SAFETY: the attribute is 8 bytes at `place`, which lives during both calls.
            result = unsafe clinux_ioctl_pointer(
                descriptor.rawValue, CLINUX_KVM_HAS_DEVICE_ATTR, &attribute)
            guard result >= 0 else { return }
            result = unsafe clinux_ioctl_pointer(descriptor.rawValue, number, &attribute)
        }
        switch -result {
        case 0: return true
        case Errno.noSuchAddress.rawValue, Errno.invalidArgument.rawValue,
            Errno.unknownRequest.rawValue:
            return false
        default:
            throw SystemError(
                "\(verb) the TSC offset of", descriptor.name, Errno(rawValue: -result))
        }
    }

    /// Tells a guest with the paravirtual clock that it was stopped, so that its watchdogs do not
    /// take the time for a hang. Guests without it are left alone.
    public func notePause() throws(SystemError) {
        do throws(SystemError) {
            _ = try descriptor.request(CLINUX_KVM_KVMCLOCK_CTRL, "note the pause of")
        } catch {
            guard error.errno == .invalidArgument else { throw error }
        }
    }

    /// Sends a non-maskable interrupt. The call waits while the processor runs on another thread.
    public func injectNMI() throws(SystemError) {
        _ = try descriptor.request(CLINUX_KVM_NMI, "send a non-maskable interrupt to")
    }
}
