internal import LinuxSystem

/// One request to a disk, as its header says (virtio 1.2, section 5.2.6).
struct BlockRequest {
    /// What the driver asks for.
    enum Operation: Equatable {
        case read
        case write
        case flush
        case identify
        case discard
        case writeZeroes
        case unknown(UInt32)

        init(_ number: UInt32) {
            switch number {
            case 0: self = .read
            case 1: self = .write
            case 4: self = .flush
            case 8: self = .identify
            case 11: self = .discard
            case 13: self = .writeZeroes
            default: self = .unknown(number)
            }
        }
    }

    /// The last byte of each answer.
    enum Status: UInt8 {
        case success = 0
        case failure = 1
        case unsupported = 2
    }

    /// Bytes of the header.
    static let headerSize = 16
    /// Bytes of the answer to `identify`.
    static let serialSize = 20
    /// The most bytes that one request moves. Drivers stay far below it; it bounds the time that a
    /// disk needs to come to rest.
    static let maximumTransfer = 64 << 20

    /// The most sectors of one segment of `discard` and `writeZeroes`, and the most segments of
    /// one request. They bound the time that a disk needs to come to rest where zeros have to be
    /// written.
    static let maximumRangeSectors: UInt32 = 1 << 17
    static let maximumSegments = 1

    let operation: Operation
    let sector: UInt64
    /// Bytes of the driver's that follow the header.
    let dataToWrite: Int
    /// Bytes of room before the status.
    let room: Int

    /// Reads the header of a request.
    ///
    /// - Throws: when the request has no header, or no room for a status.
    init(_ chain: borrowing DescriptorChain) throws(VirtqueueError) {
        guard let number = chain.readable.load(UInt32.self, at: 0),
            let sector = chain.readable.load(UInt64.self, at: 8)
        else { throw .malformedRequest("without its header") }
        guard !chain.writable.isEmpty else {
            throw .malformedRequest("without room for its status")
        }
        operation = Operation(number)
        self.sector = sector
        dataToWrite = chain.readable.byteCount - Self.headerSize
        room = chain.writable.byteCount - 1
    }

    /// Where in the image a transfer of `count` bytes begins; nil when it is not whole blocks
    /// inside the disk, or too large.
    func position(of count: Int, in geometry: BlockGeometry) -> Int? {
        let (start, overflow) = sector.multipliedReportingOverflow(by: UInt64(sectorSize))
        guard !overflow, count <= Self.maximumTransfer,
            count.isMultiple(of: Int(geometry.blockSize)),
            start.isMultiple(of: UInt64(geometry.blockSize)), start <= geometry.byteCount,
            UInt64(count) <= geometry.byteCount - start
        else { return nil }
        return Int(exactly: start)
    }
}

/// One segment of `discard` or `writeZeroes` (virtio 1.2, section 5.2.6,
/// `struct virtio_blk_discard_write_zeroes`).
struct BlockSegment {
    /// Bytes of a segment.
    static let size = 16

    let sector: UInt64
    let sectorCount: UInt32
    private let flags: UInt32

    /// Reads the segment behind a request's header; nil when there is not exactly one.
    init?(_ request: BlockRequest, _ chain: borrowing DescriptorChain) {
        let start = BlockRequest.headerSize
        guard request.dataToWrite == Self.size * BlockRequest.maximumSegments,
            let sector = chain.readable.load(UInt64.self, at: start),
            let sectorCount = chain.readable.load(UInt32.self, at: start + 8),
            let flags = chain.readable.load(UInt32.self, at: start + 12)
        else { return nil }
        self.sector = sector
        self.sectorCount = sectorCount
        self.flags = flags
    }

    /// The space may be given back.
    var unmaps: Bool { flags & 1 != 0 }
    /// Flags that the specification has not given a meaning.
    var hasUnknownFlags: Bool { flags & ~1 != 0 }

    /// The range in bytes; nil when it is too large, or not whole blocks inside the disk.
    func range(in geometry: BlockGeometry) -> Range<Int>? {
        guard sectorCount <= BlockRequest.maximumRangeSectors, sector <= geometry.sectorCount,
            UInt64(sectorCount) <= geometry.sectorCount - sector
        else { return nil }
        // A disk's bytes fit into an Int, see `BlockState`.
        let start = Int(sector) * sectorSize
        let count = Int(sectorCount) * sectorSize
        let block = Int(geometry.blockSize)
        guard start.isMultiple(of: block), count.isMultiple(of: block) else { return nil }
        return start..<(start + count)
    }
}
