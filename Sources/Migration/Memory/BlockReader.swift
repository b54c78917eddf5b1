import ContentCoding
import LinuxSystem
import MigrationProtocol
import Transport

/// What a receiver needs for blocks, made when the first of them come: two buffers of the size of
/// the largest block, whatever a peer sends.
final class BlockReader {
    /// The entries of all blocks of a request.
    var entries: [UInt8] = []
    /// Where the contents of a block go.
    var places: [MemorySegment] = []
    /// A block as it was sent.
    let stored: ContentBuffer
    /// A block whose places are apart from each other.
    let contents: ContentBuffer
    var hasher: ContentHasher
    var decompressor: BlockDecompressor

    init() throws(ContentError) {
        stored = try ContentBuffer(byteCount: Limits.blockBytes.upperBound)
        contents = try ContentBuffer(byteCount: Limits.blockBytes.upperBound)
        hasher = try ContentHasher()
        decompressor = try BlockDecompressor()
    }
}

extension MemoryReceiver {
    /// Receives a table, and the blocks in which the contents of its ranges are.
    ///
    /// - Returns: bytes of content.
    mutating func receiveBlocks(
        rangeCount: Int, _ format: MemoryBlockFormat, from channel: some Channel,
        within limits: OperationLimits
    ) throws(MigrationError) -> UInt64 {
        try receiveTable(rangeCount, from: channel, within: limits)
        var total: UInt64 = 0
        for index in 0..<rangeCount {
            let length = MemoryRange(in: table.span, at: index).length
            let (sum, overflow) = total.addingReportingOverflow(length)
            total = overflow ? .max : sum
        }
        let reader = try makeReader()
        let count: Int
        do throws(FrameError) {
            count = try format.blockCount(contentLength: total)
        } catch {
            throw .invalidMessage(.frame(error))
        }
        do throws(TransportError) {
            try channel.receive(
                count * MemoryBlock.byteCount, into: &reader.entries, within: limits)
        } catch {
            throw MigrationError(error)
        }
        var position = RangePosition()
        for index in 0..<count {
            let length = format.length(ofBlock: index, contentLength: total)
            let block: MemoryBlock
            do throws(FrameError) {
                block = try MemoryBlock(
                    in: reader.entries.span, at: index, length: length, format: format,
                    extensions: extensions)
            } catch {
                throw .invalidMessage(.frame(error))
            }
            let first = try findPlaces(of: length, at: &position, into: &reader.places)
            try receive(
                block, of: first, length: length, reader, from: channel, within: limits)
            guard format.hasChecksums else { continue }
            for place in reader.places { reader.hasher.update(place) }
            guard reader.hasher.finish() == block.checksum else { throw .wrongChecksum(first) }
        }
        return total
    }

    private mutating func makeReader() throws(MigrationError) -> BlockReader {
        if let blocks { return blocks }
        do throws(ContentError) {
            let made = try BlockReader()
            blocks = made
            return made
        } catch {
            throw .unsupported("Blocks of memory cannot be received: \(error)")
        }
    }

    /// Receives one block and puts its contents into place.
    private func receive(
        _ block: MemoryBlock, of range: MemoryRange, length: Int, _ reader: BlockReader,
        from channel: some Channel, within limits: OperationLimits
    ) throws(MigrationError) {
        let method: CompressionMethod
        switch block.coding {
        case .plain:
            do throws(TransportError) {
                return try channel.receive(into: reader.places, within: limits)
            } catch {
                throw MigrationError(error)
            }
        case .lz4: method = .lz4
        case .zstd: method = .zstd
        }
        guard let stored = reader.stored.segment.part(offset: 0, length: block.storedLength),
            let buffer = reader.contents.segment.part(offset: 0, length: length)
        else { throw .damagedContents(range, .outOfMemory(bytes: length)) }
        do throws(TransportError) {
            try channel.receive(into: [stored], within: limits)
        } catch {
            throw MigrationError(error)
        }
        let isTogether = reader.places.count == 1
        do throws(ContentError) {
            try reader.decompressor.decompress(
                stored, with: method, into: isTogether ? reader.places[0] : buffer)
        } catch {
            throw .damagedContents(range, error)
        }
        guard !isTogether else { return }
        var rest = SegmentCursor([buffer])
        for place in reader.places { rest.copy(into: place) }
    }

    /// Finds where the next `length` bytes of contents go.
    ///
    /// - Returns: the part of a range with which they begin.
    private func findPlaces(
        of length: Int, at position: inout RangePosition, into places: inout [MemorySegment]
    ) throws(MigrationError) -> MemoryRange {
        places.removeAll(keepingCapacity: true)
        var first: MemoryRange?
        var rest = UInt64(length)
        while rest > 0 {
            let range = MemoryRange(in: table.span, at: position.index)
            let part = MemoryRange(
                address: range.address &+ position.offset,
                length: min(rest, range.length &- position.offset))
            position.offset &+= part.length
            if position.offset >= range.length {
                position = RangePosition(index: position.index + 1)
            }
            guard part.length > 0 else { continue }
            first = first ?? part
            try appendPlaces(of: part, to: &places)
            rest -= part.length
        }
        return first ?? MemoryRange(address: 0, length: 0)
    }
}

/// A place in the contents of a table.
private struct RangePosition {
    var index = 0
    var offset: UInt64 = 0
}
