internal import LinuxSystem

/// One request to a disk, as its header says (virtio 1.2, section 5.2.6).
struct BlockRequest {
    /// What the driver asks for.
    enum Operation: Equatable {
        case read
        case write
        case flush
        case identify
        case unknown(UInt32)

        init(_ number: UInt32) {
            switch number {
            case 0: self = .read
            case 1: self = .write
            case 4: self = .flush
            case 8: self = .identify
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
