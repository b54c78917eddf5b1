extension MemorySegment {
    /// A copy of the bytes; for small pieces, outside of the hot loops.
    public func copiedBytes() -> [UInt8] {
        let count = self.count
        // SAFETY: both runs have `count` bytes and do not overlap.
        return unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            if count > 0, let target = buffer.baseAddress {
                unsafe UnsafeMutableRawPointer(target).copyMemory(
                    from: baseAddress, byteCount: count)
            }
            initialized = count
        }
    }

    /// Overwrites the start of the segment; bytes beyond its end are left out.
    public func copy(from bytes: [UInt8]) {
        let length = min(count, bytes.count)
        // SAFETY: no more than either run has; an array never overlaps a mapping.
        unsafe bytes.withUnsafeBytes { source in
            if length > 0, let start = source.baseAddress {
                unsafe baseAddress.copyMemory(from: start, byteCount: length)
            }
        }
    }
}
