internal import CLinux
import Glibc

/// A range of the address space that belongs to whoever holds this value; it is unmapped when the
/// value ends. Nothing but the holder knows who else writes to it. Sendable although it holds a
/// pointer: it cannot be copied, and its address and length never change.
@safe
public struct Mapping: ~Copyable, @unchecked Sendable {
    /// The first byte. Valid as long as this value; the only pointer that leaves this module.
    public let baseAddress: UnsafeMutableRawPointer
    /// The length in bytes.
    public let count: Int

    /// Who sees writes to a mapped file.
    public enum Sharing: Sendable {
        /// Everybody who maps the file, and the file.
        case shared
        /// Only this process: pages are copied when they are first written.
        case `private`
    }

    /// What may be done with the bytes.
    public enum Access: Sendable {
        /// Nothing but reading.
        case read
        /// Reading and writing.
        case readWrite
    }

    /// Maps fresh zeroed memory that no other process sees.
    /// - Parameters:
    ///   - count: Bytes, more than 0; with huge pages a multiple of their size.
    ///   - hugePages: Takes the memory from the pool of pages of this size.
    ///   - alignment: The base address is a multiple of this power of two.
    public init(
        anonymous count: Int, hugePages: HugePageSize? = nil, alignment: Int = PageSize.base
    ) throws(SystemError) {
        try self.init(
            descriptor: -1, offset: 0, count: count, access: .readWrite,
            // Pages of a pool are reserved, so that touching them later cannot fail.
            flags: MAP_PRIVATE | MAP_ANONYMOUS | (hugePages?.mapFlags ?? MAP_NORESERVE),
            alignment: max(alignment, hugePages?.rawValue ?? 0), name: "anonymous memory")
    }

    /// Maps a part of a file.
    /// - Parameters:
    ///   - file: What is mapped; the mapping outlives the descriptor.
    ///   - offset: Where the part starts, a multiple of the file's page size.
    ///   - count: Bytes, more than 0. Touching bytes beyond the end of the file is a SIGBUS, so
    ///     the size of a file that somebody else can shrink must be sealed.
    ///   - alignment: The base address is a multiple of this power of two.
    public init(
        file: borrowing OwnedDescriptor, offset: Int = 0, count: Int, sharing: Sharing = .shared,
        access: Access = .readWrite, alignment: Int = PageSize.base
    ) throws(SystemError) {
        let flags = sharing == .shared ? MAP_SHARED : MAP_PRIVATE | MAP_NORESERVE
        try self.init(
            descriptor: file.rawValue, offset: offset, count: count, access: access, flags: flags,
            alignment: alignment, name: file.name)
    }

    private init(
        descriptor: Int32, offset: Int, count: Int, access: Access, flags: Int32, alignment: Int,
        name: String
    ) throws(SystemError) {
        let operation = "map \(count) bytes of"
        guard count > 0 else { throw SystemError(operation, name, .invalidArgument) }
        let protection = access == .read ? PROT_READ : PROT_READ | PROT_WRITE
        let hint = try unsafe Mapping.reserve(count, alignment: alignment, name)
        // SAFETY: the hint is null, or a reservation of at least `count` bytes which nobody else
        // knows, so that replacing it cannot hit a mapping in use.
        let place = if unsafe hint == nil { Int32(0) } else { MAP_FIXED }
        let address = unsafe mmap(hint, count, protection, flags | place, descriptor, offset)
        guard let address = unsafe address, unsafe address != MAP_FAILED else {
            let reason = Errno.last
            if let hint = unsafe hint { unsafe munmap(hint, count) }
            throw SystemError(operation, name, reason)
        }
        unsafe self.baseAddress = address
        self.count = count
    }

    deinit {
        // SAFETY: the range is this value's, and the value ends here.
        unsafe munmap(baseAddress, count)
    }

    /// Reserves an aligned range, or returns null when any address is aligned enough.
    private static func reserve(
        _ count: Int, alignment: Int, _ name: String
    ) throws(SystemError) -> UnsafeMutableRawPointer? {
        guard alignment > PageSize.base else { return nil }
        let operation = "reserve \(count) bytes for"
        let (slack, overflow) = count.addingReportingOverflow(alignment)
        guard alignment.nonzeroBitCount == 1, !overflow else {
            throw SystemError(operation, name, .invalidArgument)
        }
        // SAFETY: fresh address space without access; the ends that alignment leaves over are
        // given back and never used.
        let reserved = unsafe mmap(
            nil, slack, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let start = unsafe reserved, unsafe start != MAP_FAILED else {
            throw SystemError(operation, name, .last)
        }
        let aligned = unsafe start.alignedUp(toMultipleOf: alignment)
        let before = unsafe start.distance(to: aligned)
        let pages = (count + PageSize.base - 1) & ~(PageSize.base - 1)
        if before > 0 { unsafe munmap(start, before) }
        if slack - before > pages { unsafe munmap(aligned + pages, slack - before - pages) }
        return unsafe aligned
    }
}

extension HugePageSize {
    /// The size as the flags of `mmap` give it.
    fileprivate var mapFlags: Int32 {
        switch self {
        case .twoMebibytes: MAP_HUGETLB | Int32(bitPattern: UInt32(CLINUX_MAP_HUGE_2MB))
        case .oneGibibyte: MAP_HUGETLB | Int32(bitPattern: UInt32(CLINUX_MAP_HUGE_1GB))
        }
    }
}
