internal import CLinux
public import LinuxSystem

extension KVMVirtualProcessor {
    /// Enters guest physical memory into the second-level page tables, which all processors of the
    /// machine share, as if the guest had touched it; pages that are there already cost a look.
    /// Where the capability `memoryMappingAhead` is offered, and while the processor does not run.
    ///
    /// - Parameters:
    ///   - address: where it begins, a multiple of 4096.
    ///   - count: bytes, a multiple of 4096. A signal may end the call early.
    /// - Returns: how many bytes were mapped, from the beginning.
    /// - Throws: `.notSupported` where this processor or this kernel cannot.
    public func mapMemory(at address: UInt64, count: UInt64) throws(SystemError) -> UInt64 {
        var rest = kvm_pre_fault_memory()
        rest.gpa = address
        rest.size = count
        // SAFETY: the structure is the one of the request.
        try unsafe descriptor.request(CLINUX_KVM_PRE_FAULT_MEMORY, "map memory for", &rest)
        return count - min(rest.size, count)
    }
}
