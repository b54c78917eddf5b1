internal import CLinux
public import LinuxSystem
import Synchronization

extension KVMVirtualMachine {
    /// How a slot's memory is treated.
    public struct MemoryFlags: OptionSet, Sendable {
        /// The bits of `KVM_MEM_*`.
        public let rawValue: UInt32

        /// Bits of `KVM_MEM_*`.
        public init(rawValue: UInt32) {
            self.rawValue = rawValue
        }

        /// The kernel notes which pages the guest writes.
        public static let logDirtyPages = MemoryFlags(rawValue: CLINUX_KVM_MEM_LOG_DIRTY_PAGES)
        /// The guest can only read; its writes come here.
        public static let readOnly = MemoryFlags(rawValue: CLINUX_KVM_MEM_READONLY)
    }

    /// Puts memory of this process at a guest address, or changes the flags of a slot that is
    /// there with the same memory.
    /// - Parameters:
    ///   - slot: Its number, below the machine's `memorySlots`.
    ///   - address: Where the guest sees it; a multiple of the page size, as the segment's place
    ///     and length are.
    ///   - segment: Stays mapped until the slot is removed or the machine and its processors end.
    public func setMemory(
        slot: UInt32, address: UInt64, segment: MemorySegment, flags: MemoryFlags = []
    ) throws(SystemError) {
        // SAFETY: only the address of the segment is used, which the caller keeps mapped.
        let place = unsafe UInt64(UInt(bitPattern: segment.baseAddress))
        try setRegion(
            kvm_userspace_memory_region(
                slot: slot, flags: flags.rawValue, guest_phys_addr: address,
                memory_size: UInt64(segment.count), userspace_addr: place),
            "set")
    }

    /// Takes a slot away; the guest finds no memory there.
    public func removeMemory(slot: UInt32) throws(SystemError) {
        try setRegion(
            kvm_userspace_memory_region(
                slot: slot, flags: 0, guest_phys_addr: 0, memory_size: 0, userspace_addr: 0),
            "remove")
    }

    private func setRegion(
        _ region: kvm_userspace_memory_region, _ verb: String
    ) throws(SystemError) {
        let operation = "\(verb) memory slot \(region.slot) of"
        try slotPages.withLock { (slotPages) throws(SystemError) in
            var region = region
            // SAFETY: the structure of this request.
            try unsafe descriptor.request(
                CLINUX_KVM_SET_USER_MEMORY_REGION, operation, &region)
            slotPages[region.slot] = Int(region.memory_size) / PageSize.base
        }
    }

    /// Lets pages stay in the dirty log until `clearDirtyLog`, instead of clearing them when the
    /// log is read. Before logging is switched on, and only the modes that the capability has.
    /// - Parameter initiallySet: All pages count as written when logging starts, and no time is
    ///   spent on protecting them before they are first cleared.
    public func useManualDirtyLogProtection(initiallySet: Bool) throws(SystemError) {
        var mode = CLINUX_KVM_DIRTY_LOG_MANUAL_PROTECT
        if initiallySet { mode |= CLINUX_KVM_DIRTY_LOG_INITIALLY_SET }
        try enable(.manualDirtyLogProtection, argument: UInt64(mode))
    }

    /// Reads which pages of a slot were written: a bit per page, lowest first.
    /// - Parameter bitmap: Has room for all pages of the slot.
    /// - Throws: `.invalidArgument` when it has not; `.noSuchFile` when the slot is not logged.
    public func readDirtyLog(
        slot: UInt32, into bitmap: inout MutableSpan<UInt64>
    ) throws(SystemError) {
        let operation = "read the dirty log of memory slot \(slot) of"
        let wordCount = bitmap.count
        let machine = descriptor.rawValue
        let result = slotPages.withLock { slotPages in
            let pages = slotPages[slot] ?? 0
            guard pages > 0, (pages + 63) / 64 <= wordCount else {
                return -Errno.invalidArgument.rawValue
            }
            return unsafe bitmap.withUnsafeMutableBufferPointer { words in
                var log = unsafe kvm_dirty_log()
                unsafe log.slot = slot
                unsafe log.dirty_bitmap = UnsafeMutableRawPointer(words.baseAddress)
                // SAFETY: the kernel writes a bit for each page, in whole words, which fit.
                return unsafe clinux_ioctl_pointer(machine, CLINUX_KVM_GET_DIRTY_LOG, &log)
            }
        }
        guard result >= 0 else {
            throw SystemError(operation, descriptor.name, Errno(rawValue: -result))
        }
    }

    /// Clears the pages of a slot whose bits are set, so that their next write is noted. Only with
    /// manual protection.
    /// - Parameters:
    ///   - firstPage: A multiple of 64, within the slot.
    ///   - pageCount: A multiple of 64, or all pages up to the end of the slot.
    ///   - bitmap: Its first bit is for `firstPage`; it has a bit for each page.
    public func clearDirtyLog(
        slot: UInt32, firstPage: Int, pageCount: Int, bitmap: Span<UInt64>
    ) throws(SystemError) {
        let operation = "clear the dirty log of memory slot \(slot) of"
        guard firstPage >= 0, pageCount > 0, let pageCount = UInt32(exactly: pageCount),
            (Int(pageCount) + 63) / 64 <= bitmap.count
        else { throw SystemError(operation, descriptor.name, .invalidArgument) }
        let machine = descriptor.rawValue
        let result = unsafe bitmap.withUnsafeBufferPointer { words in
            var log = unsafe kvm_clear_dirty_log()
            unsafe log.slot = slot
            unsafe log.num_pages = pageCount
            unsafe log.first_page = UInt64(firstPage)
            unsafe log.dirty_bitmap = UnsafeMutableRawPointer(mutating: words.baseAddress)
            // SAFETY: the kernel only reads a bit for each page, in whole words, which are there.
            return unsafe clinux_ioctl_pointer(machine, CLINUX_KVM_CLEAR_DIRTY_LOG, &log)
        }
        guard result >= 0 else {
            throw SystemError(operation, descriptor.name, Errno(rawValue: -result))
        }
    }
}
