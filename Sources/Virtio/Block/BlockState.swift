internal import StateCoding

/// The saved part of a disk: what the guest knows of its size.
struct BlockState: VersionedState {
    static let name = "block"
    static let version: UInt16 = 1

    let geometry: BlockGeometry

    init(geometry: BlockGeometry) {
        self.geometry = geometry
    }

    func encode(into writer: inout StateWriter) {
        writer.append(geometry.sectorCount)
        writer.append(geometry.blockSize)
    }

    init(from reader: inout StateReader, version: UInt16) throws(StateError) {
        let sectorCount = try reader.readUInt64()
        let blockSize = try reader.readUInt32()
        guard sectorCount <= UInt64(Int.max) / UInt64(sectorSize) else {
            throw reader.invalid("the disk has \(sectorCount) sectors")
        }
        guard blockSize == 512 || blockSize == 4096 else {
            throw reader.invalid("the disk has blocks of \(blockSize) bytes")
        }
        geometry = BlockGeometry(sectorCount: sectorCount, blockSize: blockSize)
    }
}
