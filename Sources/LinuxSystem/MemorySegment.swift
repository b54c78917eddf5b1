internal import CLinux

/// A run of bytes inside a live mapping, which modules without pointers pass around for vectored
/// input and output.
///
/// A segment carries its bounds: it can be narrowed, never widened. It does not keep the mapping
/// alive, because it is made once per run of pages in loops that must not count references:
/// whoever hands segments out (`GuestRAM`) outlives their use. The bytes may be changed at any
/// time by a guest or another process; take a copy before looking at a value twice. For the same
/// reason it can go to other threads: nobody who has one may assume to be alone.
@safe
public struct MemorySegment: @unchecked Sendable {
    /// Start of the run; only the modules inside the unsafe fence use it.
    @unsafe public let baseAddress: UnsafeMutableRawPointer

    /// Length in bytes.
    public let count: Int

    /// Wraps `count` bytes from `baseAddress` on.
    ///
    /// - Parameters:
    ///   - baseAddress: start of memory that is mapped for as long as the segment is used.
    ///   - count: length in bytes, not negative.
    @unsafe
    public init(baseAddress: UnsafeMutableRawPointer, count: Int) {
        // SAFETY: stored only; the caller vouches for the lifetime.
        unsafe self.baseAddress = baseAddress
        self.count = count
    }

    /// The part from `offset` on which is `length` bytes long, or nil when it is not inside.
    public func part(offset: Int, length: Int) -> MemorySegment? {
        guard offset >= 0, length >= 0, offset <= count, length <= count - offset else {
            return nil
        }
        // SAFETY: inside this segment, as just checked.
        return unsafe MemorySegment(baseAddress: baseAddress + offset, count: length)
    }

    /// Lets the processor fetch the first bytes at `offset` ahead of a look at them, which would wait
    /// for memory otherwise. Of no effect beyond the end.
    public func prefetch(offset: Int) {
        guard (0..<count).contains(offset) else { return }
        // SAFETY: inside this segment; nothing is read into a value.
        unsafe clinux_prefetch(baseAddress + offset)
    }
}
