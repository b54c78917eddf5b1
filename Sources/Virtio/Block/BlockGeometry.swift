/// The unit in which virtio counts a disk's bytes, whatever its blocks are.
let sectorSize = 512

/// What the guest knows of the size of its disk; it must find the same wherever it is moved.
struct BlockGeometry: Hashable, Sendable {
    /// The number of 512-byte sectors.
    var sectorCount: UInt64
    /// The unit of requests in bytes: 512 or 4096.
    var blockSize: UInt32

    /// Bytes of the disk.
    var byteCount: UInt64 { sectorCount * UInt64(sectorSize) }
}
