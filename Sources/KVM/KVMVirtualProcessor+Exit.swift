internal import CLinux

extension KVMVirtualProcessor {
    /// Why the guest was left.
    public enum Exit: Equatable, Sendable {
        /// The guest reads `count` times `size` bytes (1, 2 or 4) from a port.
        case portRead(port: UInt16, size: Int, count: Int)
        /// The guest writes `count` times `size` bytes (1, 2 or 4) to a port.
        case portWrite(port: UInt16, size: Int, count: Int)
        /// The guest reads 1 to 8 bytes where there is no memory.
        case memoryRead(address: UInt64, size: Int)
        /// The guest writes 1 to 8 bytes where there is no memory, or where it can only read.
        case memoryWrite(address: UInt64, size: Int, value: UInt64)
        /// The processor waits for an interrupt, which only shows without chips in the kernel.
        case halted
        /// The processor gave up, as after a triple fault.
        case shutDown
        /// A signal or a request for an immediate exit.
        case interrupted
        /// An interrupt can be injected.
        case interruptWindow
        /// The guest is done with an interrupt that a chip outside the kernel has sent.
        case endOfInterrupt(vector: UInt8)
        /// The guest asks for something of the whole machine.
        case systemEvent(kind: UInt32)
        /// The hardware did not enter the guest, for a reason of its own.
        case entryFailed(reason: UInt64)
        /// The kernel could not go on, such as for an instruction that it cannot emulate
        /// (suberror 1), with what it tells about it.
        case internalError(suberror: UInt32, data: [UInt64])
        /// The ring of written pages has no more room.
        case dirtyRingFull
        /// A reason that this module does not know.
        case other(reason: UInt32)
    }

    /// Reads the kernel's account of an exit.
    func exit(_ run: UnsafeMutablePointer<kvm_run>) -> Exit {
        // SAFETY: the structure is the kernel's, and the member of its union that is read is the
        // one that the reason names.
        let reason = unsafe run.pointee.exit_reason
        switch Int32(bitPattern: reason) {
        case KVM_EXIT_IO: return unsafe portExit(run)
        case KVM_EXIT_MMIO: return unsafe memoryExit(run)
        case KVM_EXIT_HLT: return .halted
        case KVM_EXIT_SHUTDOWN: return .shutDown
        case KVM_EXIT_INTR: return .interrupted
        case KVM_EXIT_IRQ_WINDOW_OPEN: return .interruptWindow
        case KVM_EXIT_IOAPIC_EOI: return unsafe .endOfInterrupt(vector: run.pointee.eoi.vector)
        case KVM_EXIT_SYSTEM_EVENT:
            return unsafe .systemEvent(kind: run.pointee.system_event.type)
        case KVM_EXIT_FAIL_ENTRY:
            return unsafe .entryFailed(
                reason: run.pointee.fail_entry.hardware_entry_failure_reason)
        case KVM_EXIT_DIRTY_RING_FULL: return .dirtyRingFull
        case KVM_EXIT_INTERNAL_ERROR: return unsafe internalError(run)
        default: return .other(reason: reason)
        }
    }

    private func portExit(_ run: UnsafeMutablePointer<kvm_run>) -> Exit {
        let access = unsafe run.pointee.io
        let size = Int(access.size)
        let count = Int(clamping: access.count)
        return Int32(access.direction) == KVM_EXIT_IO_OUT
            ? .portWrite(port: access.port, size: size, count: count)
            : .portRead(port: access.port, size: size, count: count)
    }

    private func memoryExit(_ run: UnsafeMutablePointer<kvm_run>) -> Exit {
        let address = unsafe run.pointee.mmio.phys_addr
        let size = min(8, Int(unsafe run.pointee.mmio.len))
        guard unsafe run.pointee.mmio.is_write != 0 else {
            return .memoryRead(address: address, size: size)
        }
        let bytes = unsafe withUnsafeBytes(of: &run.pointee.mmio.data) {
            unsafe UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self))
        }
        let mask = size == 8 ? UInt64.max : (1 << UInt64(8 * size)) - 1
        return .memoryWrite(address: address, size: size, value: bytes & mask)
    }

    private func internalError(_ run: UnsafeMutablePointer<kvm_run>) -> Exit {
        let suberror = unsafe run.pointee.internal.suberror
        let data = unsafe withUnsafeBytes(of: &run.pointee.internal.data) { bytes in
            let count = unsafe min(Int(run.pointee.internal.ndata), bytes.count / 8)
            return (0..<count).map { index in
                unsafe bytes.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self)
            }
        }
        return .internalError(suberror: suberror, data: data)
    }
}
