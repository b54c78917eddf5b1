internal import LinuxSystem

/// A page-aligned buffer through which a request goes whose own buffers are not aligned as direct
/// access asks. Used by one thread; its pages are not there before they are used.
@safe
final class BounceBuffer: Sendable {
    /// The most bytes that go through it at once.
    static let size = 256 * 1024

    fileprivate let mapping: Mapping

    init() throws(SystemError) {
        mapping = try Mapping(anonymous: Self.size)
    }

    /// Reads `count` bytes of a file into the buffer, at an address that is a multiple of `count`
    /// and of nothing larger, to see whether the file can be read so.
    func read(
        _ count: Int, from file: borrowing OwnedDescriptor, at position: Int
    ) throws(SystemError) {
        precondition(2 * count <= Self.size)
        // SAFETY: inside the mapping, as just checked.
        let run = unsafe UnsafeMutableRawBufferPointer(
            start: mapping.baseAddress + count, count: count)
        _ = try unsafe file.read(into: run, at: position)
    }
}

extension BufferList {
    /// As `fill`, through an aligned buffer.
    func fill(
        from offset: Int, count: Int, by file: borrowing OwnedDescriptor, position: Int,
        through bounce: BounceBuffer
    ) throws(SystemError) -> Int {
        // SAFETY: the run is inside the mapping, which lives as long as `bounce`.
        let run = unsafe UnsafeMutableRawBufferPointer(
            start: bounce.mapping.baseAddress, count: min(count, bounce.mapping.count))
        let done = try unsafe file.read(into: run, at: position)
        return unsafe write(
            RawSpan(_unsafeBytes: UnsafeRawBufferPointer(run)).extracting(first: done), at: offset)
    }

    /// As `empty`, through an aligned buffer.
    func empty(
        from offset: Int, count: Int, to file: borrowing OwnedDescriptor, position: Int,
        through bounce: BounceBuffer
    ) throws(SystemError) -> Int {
        // SAFETY: the run is inside the mapping, which lives as long as `bounce`.
        let run = unsafe UnsafeMutableRawBufferPointer(
            start: bounce.mapping.baseAddress, count: min(count, bounce.mapping.count))
        let copied = unsafe copy(into: run, from: offset)
        let part = unsafe UnsafeRawBufferPointer(rebasing: run.prefix(copied))
        return try unsafe file.write(part, at: position)
    }
}

extension BufferList {
    /// Fills the list from a descriptor in one call, and the start of `bounce` with what is left of
    /// a packet for which the list is too short. Records the pages as written.
    ///
    /// - Returns: the length of the packet, which the list may be shorter than.
    mutating func fill(
        by file: borrowing OwnedDescriptor, spillingInto bounce: BounceBuffer
    ) throws(SystemError) -> Int {
        // SAFETY: the mapping lives as long as `bounce`.
        let rest = unsafe MemoryVector(
            base: bounce.mapping.baseAddress, count: bounce.mapping.count)
        let done = try unsafe withVectors(from: 0, count: byteCount, file, rest: rest) {
            (vectors, file) throws(SystemError) in
            try unsafe file.read(into: vectors)
        }
        markDirty(from: 0, count: done)
        return done
    }

    /// Copies the first `count` bytes of `bounce` into the list from `offset` on.
    func write(firstOf bounce: BounceBuffer, count: Int, at offset: Int) {
        // SAFETY: the run is inside the mapping, which lives as long as `bounce`.
        let run = unsafe UnsafeRawBufferPointer(
            start: bounce.mapping.baseAddress, count: max(0, min(count, bounce.mapping.count)))
        _ = unsafe write(RawSpan(_unsafeBytes: run), at: offset)
    }
}
