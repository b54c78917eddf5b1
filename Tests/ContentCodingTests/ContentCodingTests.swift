import LinuxSystem
import Testing

@testable import ContentCoding

/// Blocks through both methods, and what a peer that lies can send instead of them.
@Suite struct ContentCodingTests {
    private static let blockBytes = 1 << 17

    /// A block whose bytes are a function of their place: with `period` they repeat.
    private func block(period: Int?) throws -> ContentBuffer {
        let buffer = try ContentBuffer(byteCount: Self.blockBytes)
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        let bytes = (0..<Self.blockBytes).map { index -> UInt8 in
            if let period { return UInt8(truncatingIfNeeded: index % period) }
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return UInt8(truncatingIfNeeded: state)
        }
        buffer.segment.copy(from: bytes)
        return buffer
    }

    @Test(arguments: CompressionMethod.allCases)
    func blocksComeBackAsTheyWere(method: CompressionMethod) throws {
        let block = try block(period: 100)
        let stored = try ContentBuffer(byteCount: Self.blockBytes)
        let result = try ContentBuffer(byteCount: Self.blockBytes)
        var compressor = try BlockCompressor()
        var decompressor = try BlockDecompressor()

        for _ in 0..<3 {
            let found = compressor.compress(block.segment, with: method, into: stored.segment)
            let size = try #require(found)
            #expect(size < Self.blockBytes / 10)
            let part = try #require(stored.segment.part(offset: 0, length: size))
            try decompressor.decompress(part, with: method, into: result.segment)
            #expect(result.segment.copiedBytes() == block.segment.copiedBytes())
        }
    }

    @Test(arguments: CompressionMethod.allCases)
    func blocksThatDoNotBecomeSmallerAreLeft(method: CompressionMethod) throws {
        let block = try block(period: nil)
        let target = try ContentBuffer(byteCount: 2 * Self.blockBytes)
        var compressor = try BlockCompressor()

        let size = compressor.compress(block.segment, with: method, into: target.segment)
        #expect(size == nil)
    }

    /// A bomb: few bytes that hold far more than the block they claim to be.
    @Test(arguments: CompressionMethod.allCases)
    func moreThanABlockIsRefusedWithoutBeingWritten(method: CompressionMethod) throws {
        let large = try ContentBuffer(byteCount: 16 << 20)
        let stored = try ContentBuffer(byteCount: 1 << 20)
        let target = try ContentBuffer(byteCount: 8192)
        target.segment.copy(from: [UInt8](repeating: 7, count: 8192))
        var compressor = try BlockCompressor()
        var decompressor = try BlockDecompressor()
        let found = compressor.compress(large.segment, with: method, into: stored.segment)
        let size = try #require(found)
        let bomb = try #require(stored.segment.part(offset: 0, length: size))
        let place = try #require(target.segment.part(offset: 0, length: 4096))

        var error: ContentError?
        do throws(ContentError) {
            try decompressor.decompress(bomb, with: method, into: place)
        } catch let found {
            error = found
        }

        #expect(error == .damaged(method: method, storedBytes: size))
        #expect(
            target.segment.copiedBytes()[4096...].allSatisfy { $0 == 7 }, "beyond the block")
    }

    @Test(arguments: CompressionMethod.allCases)
    func lessThanABlockIsRefused(method: CompressionMethod) throws {
        let block = try block(period: 10)
        let stored = try ContentBuffer(byteCount: Self.blockBytes)
        let target = try ContentBuffer(byteCount: 2 * Self.blockBytes)
        var compressor = try BlockCompressor()
        var decompressor = try BlockDecompressor()
        let found = compressor.compress(block.segment, with: method, into: stored.segment)
        let size = try #require(found)
        let part = try #require(stored.segment.part(offset: 0, length: size))

        var error: ContentError?
        do throws(ContentError) {
            try decompressor.decompress(part, with: method, into: target.segment)
        } catch let found {
            error = found
        }

        #expect(
            error
                == .wrongLength(
                    method: method, expected: 2 * Self.blockBytes, actual: Self.blockBytes))
    }

    @Test(arguments: CompressionMethod.allCases)
    func everyFlippedByteIsHarmless(method: CompressionMethod) throws {
        let block = try block(period: 200)
        let stored = try ContentBuffer(byteCount: Self.blockBytes)
        let target = try ContentBuffer(byteCount: Self.blockBytes)
        var compressor = try BlockCompressor()
        var decompressor = try BlockDecompressor()
        let found = compressor.compress(block.segment, with: method, into: stored.segment)
        let size = try #require(found)
        let good = try #require(stored.segment.part(offset: 0, length: size)).copiedBytes()

        for index in good.indices.prefix(600) {
            var bad = good
            bad[index] ^= 0x81
            stored.segment.copy(from: bad)
            let part = try #require(stored.segment.part(offset: 0, length: size))
            // Damage may also be other contents of the right length; checksums find that.
            do { try decompressor.decompress(part, with: method, into: target.segment) } catch {}
        }
        stored.segment.copy(from: good)
        let part = try #require(stored.segment.part(offset: 0, length: size))
        try decompressor.decompress(part, with: method, into: target.segment)
        #expect(target.segment.copiedBytes() == block.segment.copiedBytes())
    }

    @Test func hashIsTheOneOfTheSpecificationAndOfAllItsParts() throws {
        let empty = try ContentBuffer(byteCount: 4096)
        // XXH3_64bits of no bytes, from the library's own self-test.
        let none = try #require(empty.segment.part(offset: 0, length: 0))
        #expect(none.hash() == 0x2D06_8005_38D3_94C2)

        let block = try block(period: nil)
        var hasher = try ContentHasher()
        for _ in 0..<2 {
            for offset in stride(from: 0, to: Self.blockBytes, by: 4096) {
                let part = try #require(block.segment.part(offset: offset, length: 4096))
                hasher.update(part)
            }
            let hash = hasher.finish()
            #expect(hash == block.segment.hash())
        }
        #expect(block.segment.hash(seed: 1) != block.segment.hash())
    }
}
