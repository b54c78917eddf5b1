internal import CLinux
public import LinuxSystem
import Synchronization

/// The ring in which the kernel notes which pages one processor writes.
///
/// Source: Linux `Documentation/virt/kvm/api.rst`, KVM_CAP_DIRTY_LOG_RING. One entry of 16 bytes:
/// flags (u32), slot (u32), page within the slot (u64). The kernel sets the flag "dirty" when an entry
/// is complete; whoever has read it sets "reset" instead. One thread at a time reads a ring.
@safe
public struct DirtyRing: ~Copyable, @unchecked Sendable {
    // Sendable: the entries are read and handed back with atomic flags, by one thread at a time.
    private let mapping: Mapping
    private let entryCount: Int
    private var next = 0

    /// A page that was written.
    public struct Entry: Equatable, Sendable {
        /// The memory slot.
        public var slot: UInt32
        /// The page, counted from the slot's beginning.
        public var page: UInt64
    }

    /// Bytes of an entry.
    public static let entrySize = MemoryLayout<kvm_dirty_gfn>.size
    private static let (dirty, reset): (UInt32, UInt32) = (1, 2)

    /// Maps the ring of a processor.
    ///
    /// - Parameter byteCount: as the machine was told when rings were switched on.
    init(of processor: borrowing OwnedDescriptor, byteCount: Int) throws(SystemError) {
        mapping = try Mapping(
            file: processor,
            offset: Int(CLINUX_KVM_DIRTY_LOG_PAGE_OFFSET) * PageSize.base, count: byteCount)
        entryCount = byteCount / Self.entrySize
    }

    /// Takes the next entry; nil when there is none. `KVMVirtualMachine.resetDirtyRings` gives the
    /// room back, and only then the page is noted again.
    public mutating func take() -> Entry? {
        // SAFETY: `next` is below the number of entries that the mapping has.
        let place = unsafe mapping.baseAddress.advanced(by: next * Self.entrySize)
        let flags = unsafe place.assumingMemoryBound(to: Atomic<UInt32>.self)
        guard unsafe flags.pointee.load(ordering: .acquiring) & Self.dirty != 0 else { return nil }
        let entry = unsafe Entry(
            slot: place.load(fromByteOffset: 4, as: UInt32.self),
            page: place.load(fromByteOffset: 8, as: UInt64.self))
        unsafe flags.pointee.store(Self.reset, ordering: .releasing)
        next = (next + 1) % entryCount
        return entry
    }
}

extension KVMVirtualMachine {
    /// Notes written pages in a ring for each processor instead of in a log; before the first
    /// processor is made. The log cannot be read then.
    ///
    /// - Parameter byteCount: size of each ring; a power of two, at most the capability's value.
    public func useDirtyRings(byteCount: Int) throws(SystemError) {
        let capability: KVMCapability = value(of: .dirtyRing) > 0 ? .dirtyRing : .dirtyRingInOrder
        try enable(capability, argument: UInt64(clamping: byteCount))
    }

    /// The largest ring that the kernel makes, in bytes; 0 where it has none.
    public var largestDirtyRing: Int {
        max(value(of: .dirtyRing), value(of: .dirtyRingInOrder))
    }

    /// Gives the room of entries that were taken back to the kernel, which protects their pages
    /// again. From any thread.
    public func resetDirtyRings() throws(SystemError) {
        _ = try descriptor.request(
            CLINUX_KVM_RESET_DIRTY_RINGS, "reset the dirty rings of", value: 0)
    }
}

extension KVMVirtualProcessor {
    /// The ring of written pages, of a machine that uses rings.
    public func dirtyRing(byteCount: Int) throws(SystemError) -> DirtyRing {
        try DirtyRing(of: descriptor, byteCount: byteCount)
    }
}
