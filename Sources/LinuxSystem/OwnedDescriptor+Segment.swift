/// Reading into memory that others see too, without pointers at the caller.
extension OwnedDescriptor {
    /// Reads at `offset`, without moving the position, until `segment` is full or the file ends.
    ///
    /// - Returns: the bytes read; fewer than the segment holds when the file ended.
    public func read(into segment: MemorySegment, at offset: Int) throws(SystemError) -> Int {
        var done = 0
        while done < segment.count {
            // SAFETY: the rest of the segment, whose memory the caller keeps mapped.
            let buffer = unsafe UnsafeMutableRawBufferPointer(
                start: segment.baseAddress + done, count: segment.count - done)
            let count = try unsafe read(into: buffer, at: offset + done)
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// Reads at most `maximum` bytes at `offset`, without moving the position.
    ///
    /// - Returns: the bytes; fewer than `maximum` when the file ended.
    public func read(maximum: Int, at offset: Int) throws(SystemError) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: maximum)
        var span = result.mutableSpan
        // SAFETY: every pattern of bits is a UInt8; the array is not used meanwhile.
        var bytes = unsafe span.mutableBytes
        let count = try unsafe bytes.withUnsafeMutableBytes { (buffer) throws(SystemError) in
            guard let start = buffer.baseAddress else { return 0 }
            // SAFETY: the buffer outlives the call.
            let segment = unsafe MemorySegment(baseAddress: start, count: buffer.count)
            return try read(into: segment, at: offset)
        }
        result.removeLast(maximum - count)
        return result
    }
}
