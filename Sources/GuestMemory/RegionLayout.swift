public import LinuxSystem

/// The unit of dirty tracking, whatever the backing: 4 KiB, as KVM's dirty log counts.
public let trackedPageSize: UInt64 = 4096

/// What stands behind guest memory at the host.
public enum MemoryBacking: Hashable, Sendable {
    /// A memory file mapped shared: it can be handed to another process. In base pages, or in
    /// huge pages from the kernel's pool.
    case sharedFile(hugePages: HugePageSize?)

    /// Private anonymous memory: it can be copied only.
    case privateAnonymous(hugePages: HugePageSize?)

    /// Size of the huge pages; nil for base pages.
    public var hugePages: HugePageSize? {
        switch self {
        case .sharedFile(let size), .privateAnonymous(let size): size
        }
    }

    /// Bytes of one host page; regions are multiples of it.
    public var pageSize: UInt64 {
        hugePages.map { UInt64($0.rawValue) } ?? trackedPageSize
    }

    /// Whether the memory can be handed over by descriptor.
    public var isShared: Bool {
        switch self {
        case .sharedFile: true
        case .privateAnonymous: false
        }
    }
}

/// Where one region of RAM lies: in the guest, in KVM's memory slots and in its file.
public struct RegionLayout: Hashable, Sendable {
    /// Memory slot number, unique in a guest.
    public let slot: UInt32

    /// Guest physical address of the first byte; a multiple of the page size.
    public let start: GuestAddress

    /// Bytes; a multiple of the page size, not 0.
    public let size: UInt64

    /// Offset of the first byte in the backing file; 0 for private memory.
    public let fileOffset: UInt64

    /// Describes a region; `GuestRAM` checks it when memory is made.
    public init(slot: UInt32, start: GuestAddress, size: UInt64, fileOffset: UInt64) {
        self.slot = slot
        self.start = start
        self.size = size
        self.fileOffset = fileOffset
    }

    /// The addresses of the region, or nil when they would pass the end of the address space.
    public var range: GuestRange? { GuestRange(start: start, length: size) }
}
