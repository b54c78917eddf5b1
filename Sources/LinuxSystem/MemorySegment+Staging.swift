/// Copies between memory segments and bounded buffers, for transports that change the bytes on
/// their way (encryption) and so cannot move them straight.
extension SegmentPosition {
    /// Appends what comes next in the segments, as much as fits.
    public mutating func stage(
        _ segments: [MemorySegment], into output: inout OutputRawSpan
    ) {
        while output.freeCapacity > 0, !isAtEnd(of: segments) {
            let segment = segments[index]
            let count = min(output.freeCapacity, segment.count - offset)
            // SAFETY: `offset` and `count` lie inside the segment, which its owner keeps mapped,
            // and `count` bytes are free.
            unsafe output.withUnsafeMutableBytes { buffer, initialized in
                if let start = buffer.baseAddress {
                    unsafe (start + initialized).copyMemory(
                        from: segment.baseAddress + offset, byteCount: count)
                    initialized += count
                }
            }
            advance(by: count, in: segments)
        }
    }

    /// Writes bytes to what comes next in the segments, as many as fit.
    ///
    /// - Returns: how many of the bytes were taken.
    public mutating func unstage(_ bytes: RawSpan, into segments: [MemorySegment]) -> Int {
        var done = 0
        while done < bytes.byteCount, !isAtEnd(of: segments) {
            let segment = segments[index]
            let count = min(bytes.byteCount - done, segment.count - offset)
            // SAFETY: `offset` and `count` lie inside the segment, which its owner keeps mapped,
            // and `done` and `count` inside the bytes.
            unsafe bytes.withUnsafeBytes { source in
                if let start = source.baseAddress {
                    unsafe (segment.baseAddress + offset).copyMemory(
                        from: start + done, byteCount: count)
                }
            }
            done += count
            advance(by: count, in: segments)
        }
        return done
    }
}

extension OutputRawSpan {
    /// Appends bytes from `start` on, as many as fit.
    ///
    /// - Returns: where the rest begins.
    public mutating func append(_ bytes: [UInt8], from start: Int) -> Int {
        let count = min(bytes.count - start, freeCapacity)
        guard count > 0 else { return start }
        let part = bytes.span.extracting(start..<start + count)
        // SAFETY: `count` bytes are there and as many are free.
        unsafe withUnsafeMutableBytes { buffer, initialized in
            unsafe part.withUnsafeBytes { source in
                if let target = buffer.baseAddress, let from = source.baseAddress {
                    unsafe (target + initialized).copyMemory(from: from, byteCount: count)
                    initialized += count
                }
            }
        }
        return start + count
    }
}

extension [UInt8] {
    /// Appends bytes until there are `count`.
    ///
    /// - Returns: how many were taken.
    public mutating func append(_ bytes: RawSpan, upTo count: Int) -> Int {
        let taken = Swift.min(bytes.byteCount, count - self.count)
        guard taken > 0 else { return 0 }
        // SAFETY: the bytes are only read, within the call.
        unsafe bytes.extracting(0..<taken).withUnsafeBytes { source in
            unsafe append(contentsOf: source)
        }
        return taken
    }
}
