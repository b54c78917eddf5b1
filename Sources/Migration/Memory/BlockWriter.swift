import ContentCoding
import LinuxSystem
import MigrationProtocol

/// Makes the blocks of one MemoryBlocks request after the other: copies contents out of the memory
/// that the guest may be writing to, hashes and compresses the copy.
///
/// Its buffers are made once; a batch allocates nothing. One thread uses it.
final class BlockWriter {
    /// The tables of the request: ranges, then blocks.
    private(set) var tables: [UInt8] = []

    /// The stored blocks. They stay as they are until the next call.
    private(set) var stored: [MemorySegment] = []

    /// The bytes of the stored blocks.
    private(set) var storedBytes: UInt64 = 0

    /// How contents are cut.
    let format: MemoryBlockFormat

    /// Bytes of contents in a block: what compresses nearly as well as more does, and stays in a
    /// processor's second cache while it is copied, hashed and compressed.
    private static let blockBytes = 128 << 10

    private let plan: ContentPlan
    /// The stored blocks of a request that are not sent from guest memory.
    private let output: ContentBuffer
    private var outputLength = 0
    /// One block as it is.
    private let block: ContentBuffer
    private var hasher: ContentHasher
    private var compressor: BlockCompressor

    /// - Parameter plan: what is to be done; its `batchBytes` is half of what a request may have,
    ///   because a batch ends with the run of pages that fills it.
    init(_ plan: ContentPlan) throws(ContentError) {
        guard
            let format = MemoryBlockFormat(
                blockBytes: Self.blockBytes, hasChecksums: plan.hasChecksums)
        else { throw .outOfMemory(bytes: Self.blockBytes) }
        self.format = format
        self.plan = plan
        output = try ContentBuffer(byteCount: max(1, Int(plan.batchBytes ?? 0)) * 2)
        block = try ContentBuffer(byteCount: Self.blockBytes)
        hasher = try ContentHasher()
        compressor = try BlockCompressor()
    }

    /// Makes the blocks of a batch.
    ///
    /// - Parameters:
    ///   - contents: the contents of the table's ranges.
    ///   - method: how they are compressed; nil leaves them as they are.
    ///   - guestStands: whether nobody writes to them, so that they need no copy.
    /// - Throws: when the batch is larger than the plan allows.
    func write(
        _ table: MemoryRangeTable, _ contents: [MemorySegment], with method: CompressionMethod?,
        guestStands: Bool
    ) throws(ContentError) {
        tables.removeAll(keepingCapacity: true)
        tables += table.bytes
        stored.removeAll(keepingCapacity: true)
        storedBytes = 0
        outputLength = 0
        var source = SegmentCursor(contents)
        while let length = source.remaining(atMost: Self.blockBytes) {
            if let method {
                try compress(length, from: &source, with: method)
            } else if guestStands {
                pass(length, from: &source)
            } else {
                try copy(length, from: &source)
            }
        }
        if outputLength > 0, let run = output.segment.part(offset: 0, length: outputLength) {
            stored.append(run)
        }
    }

    /// Tries all methods on the first block of a batch.
    func sample(_ contents: [MemorySegment]) {
        var source = SegmentCursor(contents)
        guard let length = source.remaining(atMost: Self.blockBytes),
            let copy = block.segment.part(offset: 0, length: length)
        else { return }
        source.copy(into: copy)
        // What is written behind the output is nobody's.
        guard let room = output.segment.part(offset: 0, length: min(length, output.segment.count))
        else { return }
        for method in CompressionMethod.allCases {
            let began = plan.now
            let size = compressor.compress(copy, with: method, into: room) ?? length
            plan.sampled(
                method, contentBytes: length, storedBytes: size,
                nanoseconds: plan.now.nanoseconds(since: began))
        }
    }

    /// A compressed block, or a plain one where that is not smaller.
    private func compress(
        _ length: Int, from source: inout SegmentCursor, with method: CompressionMethod
    ) throws(ContentError) {
        let room = try room(for: length)
        guard let copy = block.segment.part(offset: 0, length: length) else { return }
        source.copy(into: copy)
        let checksum = format.hasChecksums ? copy.hash() : 0
        if let size = compressor.compress(copy, with: method, into: room) {
            append(size, method == .lz4 ? .lz4 : .zstd, checksum)
        } else {
            room.copy(from: copy)
            append(length, .plain, checksum)
        }
    }

    /// A plain block out of memory that changes.
    private func copy(
        _ length: Int, from source: inout SegmentCursor
    ) throws(ContentError) {
        let room = try room(for: length)
        source.copy(into: room)
        append(length, .plain, format.hasChecksums ? room.hash() : 0)
    }

    /// A plain block out of memory that does not change: sent from where it is.
    private func pass(_ length: Int, from source: inout SegmentCursor) {
        let first = stored.count
        source.append(length, to: &stored)
        var checksum: UInt64 = 0
        if format.hasChecksums {
            for index in first..<stored.count { hasher.update(stored[index]) }
            checksum = hasher.finish()
        }
        storedBytes &+= UInt64(length)
        MemoryBlock(storedLength: length, coding: .plain, checksum: checksum).append(to: &tables)
    }

    private func room(for length: Int) throws(ContentError) -> MemorySegment {
        guard let room = output.segment.part(offset: outputLength, length: length) else {
            throw .outOfMemory(bytes: outputLength + length)
        }
        return room
    }

    private func append(_ size: Int, _ coding: MemoryBlock.Coding, _ checksum: UInt64) {
        outputLength += size
        storedBytes &+= UInt64(size)
        MemoryBlock(storedLength: size, coding: coding, checksum: checksum).append(to: &tables)
    }
}

/// A position in the contents of a batch.
struct SegmentCursor {
    private let segments: [MemorySegment]
    private var index = 0
    private var offset = 0

    /// The start of the contents.
    init(_ segments: [MemorySegment]) {
        self.segments = segments
    }

    /// The bytes that are left, or `limit`; nil when none are.
    func remaining(atMost limit: Int) -> Int? {
        var found = 0
        var next = index
        while next < segments.count, found < limit {
            found += segments[next].count - (next == index ? offset : 0)
            next += 1
        }
        return found > 0 ? min(found, limit) : nil
    }

    /// The next run of at most so many bytes that lie together.
    mutating func next(atMost limit: Int) -> MemorySegment? {
        while index < segments.count {
            let segment = segments[index]
            let length = min(limit, segment.count - offset)
            let found = segment.part(offset: offset, length: length)
            offset += length
            if offset >= segment.count {
                index += 1
                offset = 0
            }
            if length > 0 { return found }
        }
        return nil
    }

    /// Copies the next bytes until the target is full.
    mutating func copy(into target: MemorySegment) {
        var done = 0
        while done < target.count, let part = next(atMost: target.count - done) {
            target.part(offset: done, length: part.count)?.copy(from: part)
            done += part.count
        }
    }

    /// Appends the next so many bytes, as they lie.
    mutating func append(_ length: Int, to list: inout [MemorySegment]) {
        var done = 0
        while done < length, let part = next(atMost: length - done) {
            list.append(part)
            done += part.count
        }
    }
}
