public import GuestMemory
public import LinuxSystem

/// The buffers of one direction of a request, in their order: one run of bytes for the device,
/// however the driver has cut it.
///
/// A list is used for one request after another, so that serving allocates nothing once it has
/// grown to the longest. It refers to guest memory that the guest changes at any time.
@safe
public struct BufferList: ~Copyable {
    private let memory: GuestRAM
    private var ranges: [GuestRange] = []
    private var segments: [MemorySegment] = []
    /// What the last vectored call was given.
    @unsafe private var vectors: [MemoryVector] = unsafe []

    /// How many of the first buffers were taken off the list.
    private var removed = 0

    /// The number of bytes, below 4 GiB.
    public private(set) var byteCount = 0

    /// An empty list over a guest's RAM.
    public init(memory: GuestRAM) {
        self.memory = memory
    }

    /// Whether there are no bytes.
    public var isEmpty: Bool { byteCount == 0 }

    mutating func removeAll() {
        ranges.removeAll(keepingCapacity: true)
        segments.removeAll(keepingCapacity: true)
        removed = 0
        byteCount = 0
    }

    /// How many buffers there are.
    var bufferCount: Int { segments.count - removed }

    /// Appends the buffers of another list over the same RAM.
    mutating func append(_ other: borrowing BufferList) {
        for index in other.removed..<other.segments.count {
            ranges.append(other.ranges[index])
            segments.append(other.segments[index])
        }
        byteCount += other.byteCount
    }

    /// Takes the first buffers off the list, which have `byteCount` bytes.
    mutating func removeFirst(_ count: Int, byteCount: Int) {
        removed += min(count, bufferCount)
        self.byteCount -= min(byteCount, self.byteCount)
        // Moving what is left costs less than a buffer that was used before.
        guard removed > bufferCount else { return }
        ranges.removeFirst(removed)
        segments.removeFirst(removed)
        removed = 0
    }

    /// Appends a buffer, which must be inside RAM. Empty buffers are left out.
    mutating func append(_ address: GuestAddress, length: UInt32) throws(VirtqueueError) {
        guard length > 0 else { return }
        guard let range = GuestRange(start: address, length: UInt64(length)) else {
            throw .outsideMemory(.outsideMemory(address: address, length: UInt64(length)))
        }
        let segment: MemorySegment
        do throws(GuestMemoryError) {
            segment = try memory.segment(range)
        } catch {
            throw .outsideMemory(error)
        }
        guard byteCount + Int(length) <= Int(UInt32.max) else { throw .chainTooLarge }
        ranges.append(range)
        segments.append(segment)
        byteCount += Int(length)
    }

    /// Reads a little-endian integer, which may lie in several buffers.
    ///
    /// - Returns: nil when the list ends before it does.
    public func load<Value: FixedWidthInteger & UnsignedInteger>(
        _ type: Value.Type, at offset: Int
    ) -> Value? {
        var value: Value = 0
        var done = 0
        forEachPiece(from: offset, count: Value.bitWidth / 8) { piece, _ in
            for index in 0..<piece.count {
                // SAFETY: inside the piece; each bit pattern is a byte.
                let byte = unsafe piece.baseAddress.load(fromByteOffset: index, as: UInt8.self)
                value |= Value(byte) << Value(8 * done)
                done += 1
            }
        }
        return done == Value.bitWidth / 8 ? value : nil
    }

    /// Copies bytes to the guest, as many as there is room for, and records the pages as written.
    ///
    /// - Returns: how many were copied.
    @discardableResult
    public func write(_ bytes: RawSpan, at offset: Int = 0) -> Int {
        var done = 0
        unsafe bytes.withUnsafeBytes { source in
            forEachPiece(from: offset, count: source.count) { piece, range in
                guard let start = source.baseAddress else { return }
                // SAFETY: the pieces together are no longer than the source.
                unsafe piece.baseAddress.copyMemory(from: start + done, byteCount: piece.count)
                memory.markDirty(range)
                done += piece.count
            }
        }
        return done
    }

    /// Copies bytes to the guest, as many as there is room for, and records the pages as written.
    ///
    /// - Returns: how many were copied.
    @discardableResult
    public func write(_ bytes: [UInt8], at offset: Int = 0) -> Int {
        // SAFETY: bytes have no padding that the raw view could show.
        unsafe write(bytes.span.bytes, at: offset)
    }

    /// Writes a little-endian integer, which may lie in several buffers, as far as there is room
    /// for it, and records the pages as written.
    public func store<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, at offset: Int) {
        let value = value.littleEndian
        unsafe withUnsafeBytes(of: value) { bytes in
            // SAFETY: the view ends with the closure, as the bytes do.
            _ = unsafe write(RawSpan(_unsafeBytes: bytes), at: offset)
        }
    }

    /// Copies bytes from the guest, as many as there are.
    ///
    /// - Parameters:
    ///   - buffer: takes them.
    ///   - offset: where in the list they start.
    /// - Returns: how many were copied.
    @unsafe
    public func copy(into buffer: UnsafeMutableRawBufferPointer, from offset: Int = 0) -> Int {
        var done = 0
        forEachPiece(from: offset, count: buffer.count) { piece, _ in
            guard let start = buffer.baseAddress else { return }
            // SAFETY: the pieces together are no longer than the buffer.
            unsafe (start + done).copyMemory(from: piece.baseAddress, byteCount: piece.count)
            done += piece.count
        }
        return done
    }

    /// Copies all bytes, or the first `limit` of them, to an array; for short requests.
    public func bytes(from offset: Int = 0, limit: Int) -> [UInt8] {
        let count = max(0, min(limit, byteCount - offset))
        return unsafe Array(unsafeUninitializedCapacity: count) { buffer, initialized in
            initialized = unsafe copy(
                into: UnsafeMutableRawBufferPointer(buffer), from: offset)
        }
    }

    /// Records that a run of bytes was written by other means than `write`.
    public func markDirty(from offset: Int, count: Int) {
        forEachPiece(from: offset, count: count) { _, range in memory.markDirty(range) }
    }

    /// Fills a run of bytes from a descriptor in one call, and records the pages as written.
    ///
    /// - Parameters:
    ///   - offset: where the run starts.
    ///   - count: its length; the run ends with the list.
    ///   - file: what is read.
    ///   - position: where in the file; nil for one that is read from where it is.
    /// - Returns: how many bytes were read, perhaps fewer; 0 at the end.
    public mutating func fill(
        from offset: Int, count: Int, by file: borrowing OwnedDescriptor, position: Int? = nil
    ) throws(SystemError) -> Int {
        do throws(SystemError) {
            let done = try unsafe withVectors(from: offset, count: count, file) {
                (vectors, file) throws(SystemError) in
                if let position {
                    try unsafe file.read(into: vectors, at: position)
                } else {
                    try unsafe file.read(into: vectors)
                }
            }
            markDirty(from: offset, count: done)
            return done
        } catch {
            // Direct access may have written some of the pages before it failed. A descriptor
            // that has nothing to read has not, and is asked too often to send so much again.
            if error.errno != .wouldBlock { markDirty(from: offset, count: count) }
            throw error
        }
    }

    /// Writes a run of bytes to a descriptor in one call.
    ///
    /// - Parameters:
    ///   - offset: where the run starts.
    ///   - count: its length; the run ends with the list.
    ///   - file: what is written.
    ///   - position: where in the file; nil for one that is written where it is.
    /// - Returns: how many bytes were written, perhaps fewer.
    public mutating func empty(
        from offset: Int, count: Int, to file: borrowing OwnedDescriptor, position: Int? = nil
    ) throws(SystemError) -> Int {
        try unsafe withVectors(from: offset, count: count, file) {
            (vectors, file) throws(SystemError) in
            if let position {
                try unsafe file.write(vectors, at: position)
            } else {
                try unsafe file.write(vectors)
            }
        }
    }

    /// Gives a run of bytes to a vectored call, followed by `rest` if there is one.
    mutating func withVectors<Value>(
        from offset: Int, count: Int, _ file: borrowing OwnedDescriptor,
        rest: MemoryVector? = nil,
        _ body: (
            UnsafeBufferPointer<MemoryVector>, borrowing OwnedDescriptor
        ) throws(SystemError) -> Value
    ) throws(SystemError) -> Value {
        // Taken out so that the walk can fill it; it keeps its storage.
        var vectors = unsafe [MemoryVector]()
        unsafe swap(&vectors, &self.vectors)
        unsafe vectors.removeAll(keepingCapacity: true)
        forEachPiece(from: offset, count: count) { piece, _ in
            unsafe vectors.append(MemoryVector(base: piece.baseAddress, count: piece.count))
        }
        if let rest = unsafe rest { unsafe vectors.append(rest) }
        defer { unsafe swap(&vectors, &self.vectors) }
        return try unsafe vectors.withUnsafeBufferPointer { buffer throws(SystemError) in
            try unsafe body(buffer, file)
        }
    }

    /// Whether each buffer of a run starts and ends at a multiple of `alignment` in this process.
    public func isAligned(from offset: Int, count: Int, to alignment: Int) -> Bool {
        var isAligned = true
        forEachPiece(from: offset, count: count) { piece, _ in
            let start = unsafe Int(bitPattern: piece.baseAddress)
            if (start | piece.count) & (alignment - 1) != 0 { isAligned = false }
        }
        return isAligned
    }

    /// Calls `body` for the part of each buffer that belongs to a run of bytes.
    @inline(__always)
    private func forEachPiece(
        from offset: Int, count: Int, _ body: (MemorySegment, GuestRange) -> Void
    ) {
        var skip = max(0, offset)
        var left = min(max(0, count), byteCount - min(skip, byteCount))
        var index = removed
        while left > 0, index < segments.count {
            let segment = segments[index]
            if skip < segment.count {
                let length = min(left, segment.count - skip)
                if let piece = segment.part(offset: skip, length: length),
                    let range = GuestRange(
                        start: ranges[index].start.plus(UInt64(skip)), length: UInt64(length))
                {
                    body(piece, range)
                }
                left -= length
                skip = 0
            } else {
                skip -= segment.count
            }
            index += 1
        }
    }
}
