import GuestMemory
import LinuxSystem
import MigrationProtocol
import Testing
import Transport

@testable import Migration

/// Blocks from a source that lies, byte by byte: a typed error in bounded memory, and no guest. Number
/// 21 in the list of the base protocol's weaknesses is that lengths are trusted.
@Suite struct HostileContentTests {
    /// The bytes after the header of MemoryBlocks, for contents of 8 KiB at address 0 in one block.
    struct Lie: CustomTestStringConvertible {
        var name: String
        var fields: [UInt8] = [0, 0, 1, 0, 13, 0]
        var range = ScriptedPeer.range(0, 8192)
        var entry: [UInt8]
        var stored: [UInt8] = []

        var testDescription: String { name }
    }

    private static func entry(
        _ stored: UInt32, _ coding: UInt32, _ checksum: UInt64 = 0
    ) -> [UInt8] {
        let word = UInt64(stored) | UInt64(coding) << 32
        return [word, checksum].flatMap { value in
            (0..<8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
        }
    }

    /// A zstd frame whose only block says "a million zeros": 1 MiB out of 13 bytes. From RFC 8878,
    /// sections 3.1.1.1 and 3.1.1.2: magic, frame header with a window of 1 MiB, one last block of
    /// type RLE.
    private static let bomb: [UInt8] = [
        0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x50, 0x03, 0x00, 0x80, 0x00,
    ]

    static let lies = [
        Lie(name: "damaged zstd", entry: entry(16, 2), stored: [UInt8](repeating: 9, count: 16)),
        Lie(name: "damaged LZ4", entry: entry(16, 1), stored: [UInt8](repeating: 0xFF, count: 16)),
        Lie(name: "bomb", entry: entry(UInt32(bomb.count), 2), stored: bomb),
        Lie(name: "unknown coding", entry: entry(16, 3)),
        Lie(name: "stored larger than plain", entry: entry(8193, 2)),
        Lie(name: "nothing stored", entry: entry(0, 1)),
        Lie(name: "plain of another length", entry: entry(8191, 0)),
        Lie(
            name: "wrong checksum", entry: entry(8192, 0, 1),
            stored: [UInt8](repeating: 1, count: 8192)),
        Lie(
            name: "more contents than a request may have",
            range: (0..<17).flatMap { _ in ScriptedPeer.range(0, 4 << 20) }, entry: []),
        Lie(name: "outside memory", range: ScriptedPeer.range(1 << 40, 8192), entry: []),
        Lie(name: "unknown flags", fields: [0, 0, 4, 0, 13, 0], entry: []),
        Lie(name: "tiny blocks", fields: [0, 0, 1, 0, 0, 0], entry: []),
        Lie(name: "huge blocks", fields: [0, 0, 1, 0, 255, 255], entry: []),
    ]

    /// Starts as a Martlet, up to the configuration.
    private func configured(_ ends: TwoEnds) throws -> ScriptedPeer {
        var peer = try ends.scriptedSource()
        try peer.send(StartOffer(extensions: .offered).request.encoded)
        #expect(try peer.receive(16)[0] == 1)
        try peer.exchange(
            [0, 0x4D, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0]
                + [UInt8](repeating: 7, count: 16))
        try peer.configure(
            ends, restoreMicroseconds: UInt32(ends.source.workload.restoreNanoseconds / 1000))
        return peer
    }

    @Test(arguments: lies) func lieIsRefused(lie: Lie) throws {
        let ends = try TwoEnds(temporarySocket("hostile-blocks"))
        var peer = try configured(ends)
        let length = ScriptedPeer.request(0, length: lie.range.count).dropFirst(8)

        // The destination may end the connection before it has read all.
        try? peer.send(
            [5, 0x4D] + lie.fields + length + lie.range + lie.entry + lie.stored)

        #expect(try peer.receive(16)[0] == 2)
        peer.channel.close(.abrupt)
        guard case .refused(let error) = try ends.destinationResult() else {
            Issue.record("the destination took it")
            return
        }
        switch error {
        case .damagedContents, .wrongChecksum, .invalidMessage: break
        default: Issue.record("\(error)")
        }
        #expect(ends.ledger.everRan.isEmpty)
    }

    @Test func wrongNumberOfDigestsIsRefused() throws {
        for count in [0, 1, 3] {
            let ends = try TwoEnds(temporarySocket("hostile-digests"))
            var peer = try configured(ends)

            try peer.send(
                [6, 0x4D, 0, 0, 0, 0, 0, 0, UInt8(count * 8), 0, 0, 0, 0, 0, 0, 0]
                    + [UInt8](repeating: 0, count: count * 8))

            #expect(try peer.receive(16)[0] == 2)
            peer.channel.close(.abrupt)
            guard case .refused(.invalidConfiguration) = try ends.destinationResult() else {
                Issue.record("the destination took it")
                return
            }
        }
    }
}
