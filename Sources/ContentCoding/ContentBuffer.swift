public import LinuxSystem

/// Private memory for contents on their way: what is in it changes only when its owner writes.
public struct ContentBuffer: ~Copyable, Sendable {
    private let mapping: Mapping

    /// Takes memory for so many bytes, at least 1.
    public init(byteCount: Int) throws(ContentError) {
        do throws(SystemError) {
            mapping = try Mapping(anonymous: byteCount)
        } catch {
            throw .outOfMemory(bytes: byteCount)
        }
    }

    /// All of it; used no longer than the buffer lives.
    public var segment: MemorySegment {
        // SAFETY: the mapping has that many bytes and lives as long as this value.
        unsafe MemorySegment(baseAddress: mapping.baseAddress, count: mapping.count)
    }
}

extension MemorySegment {
    /// Overwrites the start of this segment with another, as far as both reach.
    public func copy(from other: MemorySegment) {
        // SAFETY: no more than either run has. Where they overlap, which nobody does on purpose,
        // the bytes are moved.
        unsafe baseAddress.copyMemory(from: other.baseAddress, byteCount: min(count, other.count))
    }
}
