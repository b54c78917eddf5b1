internal import CContents
public import LinuxSystem

/// Hashes of contents: XXH3 with 64 bits, which finds every accident but is no protection against
/// an enemy; TLS is.
///
/// Source: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
extension MemorySegment {
    /// The hash of all bytes. While somebody writes it is that of a mixture.
    public func hash(seed: UInt64 = 0) -> UInt64 {
        // SAFETY: as many bytes as the segment has.
        unsafe ccontents_hash(baseAddress, count, seed)
    }
}

/// The hash of bytes that lie in several places: `hash(seed: 0)` of all of them in their order.
@safe
public struct ContentHasher: ~Copyable {
    // SAFETY: made in `init`, freed in `deinit`, and the value cannot be copied.
    @unsafe private let state: UnsafeMutableRawPointer

    /// A hash of nothing yet.
    public init() throws(ContentError) {
        guard let made = unsafe ccontents_hasher_make() else { throw .outOfMemory(bytes: 1 << 10) }
        unsafe state = made
    }

    deinit {
        unsafe ccontents_hasher_free(state)
    }

    /// Adds bytes at the end.
    public mutating func update(_ bytes: MemorySegment) {
        // SAFETY: as many bytes as the segment has.
        unsafe ccontents_hasher_update(state, bytes.baseAddress, bytes.count)
    }

    /// The hash of all bytes since the last call.
    public mutating func finish() -> UInt64 {
        defer { unsafe ccontents_hasher_reset(state) }
        return unsafe ccontents_hasher_digest(state)
    }
}
