/// How the contents of a MemoryBlocks request are cut.
///
/// The contents of all ranges, one after the other, are cut into blocks of `blockBytes`; the last
/// one has what is left. In the header, bytes 6...7 are the power of two that `blockBytes` is, and
/// bit 0 of bytes 4...5 says that the blocks have checksums.
public struct MemoryBlockFormat: Hashable, Sendable {
    /// Bytes of contents in a block, a power of two within `Limits.blockBytes`.
    public let blockBytes: Int
    /// Whether each block comes with the hash of its contents.
    public let hasChecksums: Bool

    private static let checksumBit: UInt16 = 1

    /// A format from its parts; nil for a size that no block may have.
    public init?(blockBytes: Int, hasChecksums: Bool) {
        guard Limits.blockBytes.contains(blockBytes), blockBytes.nonzeroBitCount == 1 else {
            return nil
        }
        self.blockBytes = blockBytes
        self.hasChecksums = hasChecksums
    }

    /// Reads the fields of a MemoryBlocks request.
    init(decoding fields: HeaderFields) throws(FrameError) {
        guard fields.first == 0 else {
            throw .invalidField(name: "MemoryBlocks bytes 2...3", value: UInt64(fields.first))
        }
        guard fields.second & ~Self.checksumBit == 0 else {
            throw .invalidField(name: "MemoryBlocks flags", value: UInt64(fields.second))
        }
        guard fields.third < 32,
            let format = MemoryBlockFormat(
                blockBytes: 1 << Int(fields.third),
                hasChecksums: fields.second == Self.checksumBit)
        else {
            throw .invalidField(name: "MemoryBlocks block size", value: UInt64(fields.third))
        }
        self = format
    }

    /// The fields of the request.
    var fields: HeaderFields {
        HeaderFields(
            second: hasChecksums ? Self.checksumBit : 0,
            third: UInt16(truncatingIfNeeded: blockBytes.trailingZeroBitCount))
    }

    /// Whether such blocks may be sent where these extensions were agreed on.
    func isAllowed(by extensions: Extensions) -> Bool {
        !hasChecksums || extensions.contains(.checksums)
    }

    /// How many blocks so many bytes of contents are.
    ///
    /// - Throws: when they are more than a MemoryBlocks request may have.
    public func blockCount(contentLength: UInt64) throws(FrameError) -> Int {
        guard contentLength <= Limits.contentPerBlocksRequest else {
            throw .overLimit(
                field: "The contents of MemoryBlocks", value: contentLength,
                limit: Limits.contentPerBlocksRequest)
        }
        return (Int(contentLength) + blockBytes - 1) / blockBytes
    }

    /// The bytes of contents in one of the blocks of a request.
    public func length(ofBlock index: Int, contentLength: UInt64) -> Int {
        min(blockBytes, Int(contentLength) - index * blockBytes)
    }
}

/// What stands in a MemoryBlocks request for one block: 16 bytes after the range table.
///
/// | bytes | field |
/// |---|---|
/// | 0...3 | stored length |
/// | 4...7 | coding: 0 plain, 1 LZ4, 2 zstd |
/// | 8...15 | XXH3 (64 bits) of the contents, or 0 |
public struct MemoryBlock: Hashable, Sendable {
    /// The size of an encoded entry.
    public static let byteCount = 16

    /// How the contents of a block are stored.
    public enum Coding: UInt32, CaseIterable, Sendable {
        /// As they are.
        case plain = 0
        /// In LZ4's block format.
        case lz4 = 1
        /// As one zstd frame.
        case zstd = 2
    }

    /// Bytes of it that follow the tables.
    public var storedLength: Int
    /// How they are to be read.
    public var coding: Coding
    /// The hash of the contents; 0 without checksums.
    public var checksum: UInt64

    /// An entry from its parts.
    public init(storedLength: Int, coding: Coding, checksum: UInt64) {
        self.storedLength = storedLength
        self.coding = coding
        self.checksum = checksum
    }

    /// Reads the entry at `index` of an encoded table, and checks what can be known of it.
    ///
    /// Allocates nothing. The index must be below `bytes.count / 16`.
    ///
    /// - Parameters:
    ///   - length: the bytes of contents in this block.
    ///   - extensions: what was agreed on.
    public init(
        in bytes: Span<UInt8>, at index: Int, length: Int, format: MemoryBlockFormat,
        extensions: Extensions
    ) throws(FrameError) {
        let word: UInt64 = bytes.littleEndian(at: index * Self.byteCount)
        let code = UInt32(truncatingIfNeeded: word >> 32)
        guard let coding = Coding(rawValue: code),
            coding == .plain || extensions.contains(.compression)
        else { throw .invalidField(name: "coding of a block", value: UInt64(code)) }
        let stored = Int(UInt32(truncatingIfNeeded: word))
        let isPossible = coding == .plain ? stored == length : (1..<max(length, 1)).contains(stored)
        guard isPossible else {
            throw .invalidField(
                name: "stored length of a block of \(length) bytes", value: UInt64(stored))
        }
        storedLength = stored
        self.coding = coding
        checksum = bytes.littleEndian(at: index * Self.byteCount + 8)
        guard format.hasChecksums || checksum == 0 else {
            throw .invalidField(name: "checksum of a block without one", value: checksum)
        }
    }

    /// Appends the 16 bytes.
    public func append(to bytes: inout [UInt8]) {
        bytes.appendLittleEndian(
            UInt64(UInt32(clamping: storedLength)) | UInt64(coding.rawValue) << 32)
        bytes.appendLittleEndian(checksum)
    }
}
