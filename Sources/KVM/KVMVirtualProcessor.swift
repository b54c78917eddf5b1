internal import CLinux
public import LinuxSystem
import Synchronization

/// A processor of a virtual machine. One thread runs it and reads and sets its state; any thread
/// may ask it to leave. Sendable for that: what other threads write is one atomic byte of the shared
/// page, everything else goes through the kernel, which serialises it.
@safe
public struct KVMVirtualProcessor: ~Copyable, @unchecked Sendable {
    let descriptor: OwnedDescriptor
    private let mapping: Mapping
    let extendedStateSize: Int
    let nestedStateSize: Int

    init(
        descriptor: consuming OwnedDescriptor, mappingSize: Int, extendedStateSize: Int,
        nestedStateSize: Int
    ) throws(SystemError) {
        let name = descriptor.name
        guard mappingSize >= MemoryLayout<kvm_run>.size else {
            throw SystemError("map", name, .notSupported)
        }
        self.mapping = try Mapping(file: descriptor, count: mappingSize)
        self.descriptor = descriptor
        self.extendedStateSize = max(extendedStateSize, MemoryLayout<kvm_xsave>.size)
        self.nestedStateSize = nestedStateSize
    }

    /// What the kernel and this process tell each other about an exit.
    private var shared: UnsafeMutablePointer<kvm_run> {
        // SAFETY: the kernel's mapping starts with this structure, and its size was checked.
        unsafe mapping.baseAddress.assumingMemoryBound(to: kvm_run.self)
    }

    /// Runs the guest until it needs something. Answers to reads are given before the next run:
    /// see `setPortValue` and `setMemoryValue`.
    ///
    /// A read or write that was reported is only complete after the next call; before the state is
    /// read, call this once more with an immediate exit requested.
    public func run() throws(SystemError) -> Exit {
        // Not repeated when interrupted: that is how other threads get the processor back.
        let result = clinux_ioctl_value(descriptor.rawValue, CLINUX_KVM_RUN, 0)
        if result == -Errno.interrupted.rawValue || result == -Errno.wouldBlock.rawValue {
            return .interrupted
        }
        guard result >= 0 else {
            throw SystemError("run", descriptor.name, Errno(rawValue: -result))
        }
        return unsafe exit(shared)
    }

    /// Lets `run` return `.interrupted` at once, now or when it is next called, as long as the
    /// request stands. From any thread; a processor that runs guest code at this moment must be
    /// kicked as well (`WorkerThread.kick`).
    public func requestImmediateExit(_ requested: Bool) {
        // SAFETY: one byte in the mapping, which only this function writes and the kernel reads.
        let flag = unsafe mapping.baseAddress.advanced(by: Int(CLINUX_KVM_IMMEDIATE_EXIT_OFFSET))
            .assumingMemoryBound(to: Atomic<UInt8>.self)
        unsafe flag.pointee.store(requested ? 1 : 0, ordering: .sequentiallyConsistent)
    }

    /// The value of one access of `.portWrite`; the index is 0 to count - 1.
    public func portValue(at index: Int = 0) -> UInt32 {
        guard let (place, size) = unsafe portPlace(index) else { return 0 }
        var value: UInt32 = 0
        for byte in 0..<size {
            // SAFETY: the place was checked to lie in the mapping.
            value |= UInt32(unsafe place[byte]) << UInt32(8 * byte)
        }
        return value
    }

    /// Answers one access of `.portRead`; the index is 0 to count - 1.
    public func setPortValue(_ value: UInt32, at index: Int = 0) {
        guard let (place, size) = unsafe portPlace(index) else { return }
        for byte in 0..<size {
            // SAFETY: the place was checked to lie in the mapping.
            unsafe place[byte] = UInt8(truncatingIfNeeded: value >> UInt32(8 * byte))
        }
    }

    /// Answers `.memoryRead`; as many low bytes count as were asked for.
    public func setMemoryValue(_ value: UInt64) {
        // SAFETY: the 8 bytes of the structure.
        unsafe withUnsafeMutableBytes(of: &shared.pointee.mmio.data) {
            unsafe $0.storeBytes(of: value.littleEndian, as: UInt64.self)
        }
    }

    /// Where the kernel and this process exchange the value of one port access, and its size.
    private func portPlace(_ index: Int) -> (place: UnsafeMutablePointer<UInt8>, size: Int)? {
        let access = unsafe shared.pointee.io
        let size = Int(access.size)
        let (start, overflow) = Int(clamping: access.data_offset)
            .addingReportingOverflow(index.multipliedReportingOverflow(by: size).partialValue)
        guard index >= 0, index < Int(access.count), !overflow, start >= 0, size <= 4,
            start <= mapping.count - size
        else { return nil }
        // SAFETY: the range was checked to lie in the mapping.
        let place = unsafe mapping.baseAddress.advanced(by: start)
        return unsafe (place.assumingMemoryBound(to: UInt8.self), size)
    }
}
