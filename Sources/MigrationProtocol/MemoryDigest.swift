/// How guest memory is cut for Verify, and what the numbers in it are.
///
/// Each region is cut into chunks of 16 MiB from its start on; the last one has what is left. The
/// digest of a chunk is the sum, modulo 2^64, of the hashes of its pages that are not all zeros:
/// XXH3 (64 bits) of the page's 4096 bytes with its guest-physical address as the seed. Zeros count
/// nothing, so that memory that was never touched need not be read.
public enum MemoryDigest {
    /// Bytes of a chunk.
    public static let chunkBytes: UInt64 = 16 << 20

    /// The size of an encoded digest.
    public static let byteCount = 8

    /// The chunks of some regions, region by region in their order.
    public static func chunks(of regions: [MemoryRange]) -> [MemoryRange] {
        regions.flatMap { $0.chunks(of: chunkBytes) }
    }

    /// Appends the bytes of a digest.
    public static func append(_ digest: UInt64, to bytes: inout [UInt8]) {
        bytes.appendLittleEndian(digest)
    }

    /// The digest that stands at `index` in an encoded list; the index must be inside of it.
    public static func digest(in bytes: Span<UInt8>, at index: Int) -> UInt64 {
        bytes.littleEndian(at: index * byteCount)
    }
}
