internal import CLinux
import Glibc

/// A file that exists only in memory (memfd) and can be mapped by every process that is given its
/// descriptor. Guest RAM is one.
public struct MemoryFile: ~Copyable, Sendable {
    /// The file, for mapping and passing.
    public let descriptor: OwnedDescriptor
    /// The size in bytes when this value was made.
    public let size: Int

    /// Makes a file of zeros that takes no memory before it is touched.
    /// - Parameters:
    ///   - name: For errors and `/proc/self/maps`.
    ///   - size: Bytes; with huge pages a multiple of their size.
    ///   - hugePages: Takes the memory from the pool of pages of this size, and reserves it there,
    ///     so that touching it later cannot fail.
    /// - Throws: With advice when there are not enough huge pages.
    public init(
        name: String, size: Int, hugePages: HugePageSize? = nil
    ) throws(SystemError) {
        let object = "memory file \(name)"
        let flags =
            CLINUX_MFD_CLOEXEC | CLINUX_MFD_ALLOW_SEALING
            | (hugePages?.memoryFileFlags ?? 0)
        // SAFETY: the name is a terminated string for the length of the call.
        let number = try check(
            unsafe clinux_memfd_create(name, flags), "create", object)
        let descriptor = OwnedDescriptor(owning: number, name: object)
        _ = try check(retrying { ftruncate(number, size) }, "set the size of", object)
        if let hugePages {
            try MemoryFile.reserve(hugePages, size, descriptor)
        }
        self.descriptor = descriptor
        self.size = size
    }

    /// Reserves the memory of a file of huge pages: a shared mapping does that, and the file keeps
    /// the reservation when the mapping ends.
    private static func reserve(
        _ hugePages: HugePageSize, _ size: Int, _ descriptor: borrowing OwnedDescriptor
    ) throws(SystemError) {
        do throws(SystemError) {
            _ = try Mapping(file: descriptor, count: size)
        } catch {
            throw SystemError(
                "reserve \(size / hugePages.rawValue) huge pages for", descriptor.name,
                error.errno,
                advice: hugePages.advice(for: size))
        }
    }

    /// Takes over a file that another process made. Whether it can still shrink is up to `seals`.
    /// - Throws: When the descriptor is no file with a size.
    public init(adopting descriptor: consuming OwnedDescriptor) throws(SystemError) {
        let size = try descriptor.regularFileSize
        self.descriptor = descriptor
        self.size = size
    }

    /// Gives the descriptor away; the file lives as long as somebody has it open or mapped.
    public consuming func intoDescriptor() -> OwnedDescriptor {
        descriptor
    }

    /// What can no longer be done with the file, by anybody.
    public struct Seals: OptionSet, Sendable {
        /// The bits of `F_ADD_SEALS`.
        public let rawValue: Int32

        /// Bits of `F_ADD_SEALS`.
        public init(rawValue: Int32) {
            self.rawValue = rawValue
        }

        /// No more seals.
        public static let seal = Seals(rawValue: 0x1)
        /// The size cannot shrink, so that a mapping cannot be cut off under a reader.
        public static let shrink = Seals(rawValue: 0x2)
        /// The size cannot grow.
        public static let grow = Seals(rawValue: 0x4)
    }

    /// Forbids something for ever.
    public func add(_ seals: Seals) throws(SystemError) {
        _ = try check(
            clinux_add_seals(descriptor.rawValue, seals.rawValue), "seal",
            descriptor.name)
    }

    /// What is forbidden.
    public var seals: Seals {
        get throws(SystemError) {
            Seals(
                rawValue: try check(
                    clinux_get_seals(descriptor.rawValue), "read the seals of",
                    descriptor.name))
        }
    }

    /// Frees the pages of a range; it reads as zeros afterwards, in every process.
    public func punchHole(_ range: Range<Int>) throws(SystemError) {
        _ = try check(
            retryingShim {
                clinux_punch_hole(descriptor.rawValue, range.lowerBound, range.count)
            }, "free a range of", descriptor.name)
    }

    /// Takes the memory for a range now, so that a lack of it is an error here and not a signal
    /// later. Matters for huge pages, whose pool is limited.
    public func allocate(_ range: Range<Int>) throws(SystemError) {
        _ = try check(
            retryingShim {
                clinux_allocate(descriptor.rawValue, range.lowerBound, range.count)
            },
            "allocate memory for", descriptor.name)
    }

    /// The next run of pages, at or after `offset`, that hold anything; nil when the rest is hole.
    /// Pages that another process touches meanwhile may or may not be in it.
    public func nextExtent(from offset: Int) throws(SystemError) -> Range<Int>? {
        try descriptor.nextExtent(from: offset)
    }
}

extension OwnedDescriptor {
    /// The next run of pages, at or after `offset`, of a sparse file that hold anything; nil when
    /// the rest is hole. Moves the position.
    public func nextExtent(from offset: Int) throws(SystemError) -> Range<Int>? {
        let start = clinux_seek_data(rawValue, offset)
        if start == -Int(Errno.noSuchAddress.rawValue) { return nil }
        let lower = try check(start, "find data in", name)
        let upper = try check(clinux_seek_hole(rawValue, lower), "find holes in", name)
        return lower..<max(lower, upper)
    }
}

extension HugePageSize {
    /// The size as the flags of `memfd_create` give it.
    fileprivate var memoryFileFlags: UInt32 {
        switch self {
        case .twoMebibytes: CLINUX_MFD_HUGETLB | CLINUX_MFD_HUGE_2MB
        case .oneGibibyte: CLINUX_MFD_HUGETLB | CLINUX_MFD_HUGE_1GB
        }
    }
}
