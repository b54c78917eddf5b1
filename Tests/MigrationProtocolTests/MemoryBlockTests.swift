import Testing

@testable import MigrationProtocol

/// What a MemoryBlocks request may say of its blocks.
@Suite struct MemoryBlockTests {
    private static let all: Extensions = [.checksums, .compression]

    private func read(
        _ block: MemoryBlock, length: Int = 8192, hasChecksums: Bool = true,
        _ extensions: Extensions = all
    ) throws -> MemoryBlock {
        let format = try #require(
            MemoryBlockFormat(blockBytes: 8192, hasChecksums: hasChecksums))
        var bytes: [UInt8] = []
        block.append(to: &bytes)
        return try MemoryBlock(
            in: bytes.span, at: 0, length: length, format: format, extensions: extensions)
    }

    @Test func blocksAreReadAsTheyWereWritten() throws {
        let compressed = MemoryBlock(storedLength: 1, coding: .lz4, checksum: 5)
        let plain = MemoryBlock(storedLength: 8192, coding: .plain, checksum: .max)

        #expect(try read(compressed) == compressed)
        #expect(try read(plain, .checksums) == plain)
        #expect(
            try read(
                MemoryBlock(storedLength: 100, coding: .plain, checksum: 0), length: 100,
                hasChecksums: false
            ).storedLength == 100)
    }

    @Test(arguments: [
        MemoryBlock(storedLength: 0, coding: .zstd, checksum: 0),
        MemoryBlock(storedLength: 8192, coding: .zstd, checksum: 0),
        MemoryBlock(storedLength: 8191, coding: .plain, checksum: 0),
        MemoryBlock(storedLength: 8193, coding: .plain, checksum: 0),
        MemoryBlock(storedLength: Int(UInt32.max), coding: .lz4, checksum: 0),
    ])
    func impossibleLengthsAreRefused(block: MemoryBlock) {
        #expect(throws: FrameError.self) { try read(block) }
    }

    @Test func whatWasNotAgreedOnIsRefused() throws {
        let compressed = MemoryBlock(storedLength: 1, coding: .zstd, checksum: 0)
        let summed = MemoryBlock(storedLength: 8192, coding: .plain, checksum: 1)
        let unknown: [UInt8] = [0, 32, 0, 0, 3, 0, 0, 0] + [UInt8](repeating: 0, count: 8)
        let format = try #require(MemoryBlockFormat(blockBytes: 8192, hasChecksums: false))

        #expect(throws: FrameError.self) { try read(compressed, .checksums) }
        #expect(throws: FrameError.self) { try read(summed, hasChecksums: false) }
        #expect(throws: FrameError.self) {
            try MemoryBlock(
                in: unknown.span, at: 0, length: 8192, format: format, extensions: Self.all)
        }
    }

    @Test func requestsSayHowTheirContentsAreCut() throws {
        let destination = DestinationMemoryProtocol(extensions: Self.all, rangeLimit: 10)
        let none = DestinationMemoryProtocol(extensions: .zeroRanges, rangeLimit: 10)
        let compressing = DestinationMemoryProtocol(extensions: .compression, rangeLimit: 10)
        let good = HeaderFields(second: 1, third: 13)
        func request(_ fields: HeaderFields) -> Request {
            Request(.memoryBlocks, length: 32, fields: fields)
        }

        #expect(
            try destination.receive(request(good))
                == .receiveBlocks(rangeCount: 2, Conversation.format))
        for fields in [
            HeaderFields(first: 1, third: 13), HeaderFields(second: 2, third: 13),
            HeaderFields(third: 11), HeaderFields(third: 21), HeaderFields(third: .max),
        ] {
            #expect(throws: ProtocolError.self) { try destination.receive(request(fields)) }
        }
        #expect(throws: ProtocolError.notNegotiated(.memoryBlocks)) {
            try none.receive(request(good))
        }
        #expect(throws: ProtocolError.notNegotiated(.memoryBlocks)) {
            try compressing.receive(request(good))
        }
    }

    @Test func contentsOfOneRequestAreBounded() throws {
        let format = Conversation.format

        #expect(try format.blockCount(contentLength: 0) == 0)
        #expect(try format.blockCount(contentLength: 8193) == 2)
        #expect(format.length(ofBlock: 1, contentLength: 8193) == 1)
        for length in [Limits.contentPerBlocksRequest + 1, .max] {
            #expect(throws: FrameError.self) { try format.blockCount(contentLength: length) }
        }
    }

    @Test func chunksCoverEveryRegionFromItsStart() {
        let regions = [
            MemoryRange(address: 0, length: 4096),
            MemoryRange(address: 1 << 32, length: (32 << 20) + 4096),
        ]

        let chunks = MemoryDigest.chunks(of: regions)

        #expect(chunks.map(\.length) == [4096, 16 << 20, 16 << 20, 4096])
        #expect(chunks.map(\.address) == [0, 1 << 32, 0x1_0100_0000, 0x1_0200_0000])
    }
}
