internal import Synchronization

/// A flag in a page of memory that several processes share. It starts clear, can be set and never
/// be cleared, and keeps its value when a process dies.
///
/// Layout of the page: a 32-bit little-endian integer at offset 0, not 0 when the flag is set.
public final class SharedFlag: Sendable {
    /// The file to hand to another process.
    public let file: MemoryFile

    private let mapping: Mapping

    private static let byteCount = PageSize.base

    /// A flag of this process, clear.
    public init(name: String) throws(SystemError) {
        file = try MemoryFile(name: name, size: SharedFlag.byteCount)
        // Nobody who gets the file can cut it off under the mapping.
        try file.add([.shrink, .grow, .seal])
        mapping = try Mapping(file: file.descriptor, count: SharedFlag.byteCount)
    }

    /// A flag that another process made.
    ///
    /// - Throws: `.invalidArgument` when the file is too short or could be cut off.
    public init(adopting descriptor: consuming OwnedDescriptor) throws(SystemError) {
        file = try MemoryFile(adopting: descriptor)
        guard file.size >= SharedFlag.byteCount, try file.seals.contains(.shrink) else {
            throw SystemError("use", file.descriptor.name, .invalidArgument)
        }
        mapping = try Mapping(file: file.descriptor, count: SharedFlag.byteCount)
    }

    /// Whether any process has set it.
    public var isSet: Bool {
        // SAFETY: the start of the mapping, which is page-aligned and lives as long as `self`.
        unsafe mapping.baseAddress.assumingMemoryBound(to: Atomic<UInt32>.self)
            .pointee.load(ordering: .acquiring) != 0
    }

    /// Sets it, for ever.
    ///
    /// - Parameter value: what stands at offset 0 then; not 0.
    public func set(to value: UInt32) {
        // SAFETY: as above.
        unsafe mapping.baseAddress.assumingMemoryBound(to: Atomic<UInt32>.self)
            .pointee.store(value.littleEndian, ordering: .sequentiallyConsistent)
    }
}
