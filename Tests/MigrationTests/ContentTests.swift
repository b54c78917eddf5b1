import GuestMemory
import LinuxSystem
import Machine
import MigrationProtocol
import Synchronization
import Testing
import Transport

@testable import Migration

/// What is done to contents on their way: compression, checksums, the comparison at the end.
@Suite struct ContentTests {
    @Test(
        arguments: [MigrationOptions.Compression.lz4, .zstd, .automatic, .off], [1, 3])
    func guestMovesWithItsMemory(
        compression: MigrationOptions.Compression, connections: Int
    ) throws {
        let ends = try TwoEnds(.tcp(host: "127.0.0.1", port: 0))
        var options = MigrationOptions(destination: ends.listener.url)
        options.connections = connections
        options.compression = compression
        options.hasChecksums = connections > 1
        options.verifiesMemory = true

        let result = try ends.move(options)

        guard case .moved = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(try ends.destinationResult() == .running)
        #expect(try ends.differingPages() == [])
    }

    /// What compression and zeros saved is in the progress and in the timeline, over whichever
    /// connection it went.
    @Test(arguments: [1, 2])
    func whatWasSavedIsTold(connections: Int) throws {
        let ends = try TwoEnds(
            temporarySocket("content-saved"), workload: .init(pagesPerSecond: 0))
        // 64 pages that compress to next to nothing, and as many that were touched and are zero.
        let memory = ends.source.memory
        for page in 0..<128 as Range<UInt64> {
            let bytes = [UInt8](repeating: page < 64 ? 0xA5 : 0, count: 4096)
            try memory.write(bytes, at: GuestAddress((4 << 30) + page * 4096))
        }
        var options = MigrationOptions(destination: ends.listener.url)
        options.connections = connections
        options.compression = .zstd

        let result = try ends.move(options)

        guard case .moved(let summary) = result else {
            Issue.record("the source says \(result)")
            return
        }
        let progress = ends.sourceControl.progress()
        #expect(progress.bytesSent == summary.memoryBytes)
        #expect(progress.bytesSaved > 60 * 4096 && progress.bytesSaved < progress.bytesSent)
        #expect(progress.bytesZero >= 64 * 4096)
        let last = try #require(ends.sourceControl.timeline().samples.last)
        #expect((last.bytesSaved, last.bytesZero) == (progress.bytesSaved, progress.bytesZero))
    }

    @Test func pausedGuestMovesWithItsMemory() throws {
        let ends = try TwoEnds(temporarySocket("content-paused"))
        var options = MigrationOptions(destination: ends.listener.url)
        options.compression = .zstd
        options.hasChecksums = true
        options.verifiesMemory = true

        let result = ends.movePaused(options)

        guard case .moved = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(try ends.destinationResult() == .paused)
        #expect(try ends.differingPages() == [])
    }

    /// Number 15 in the list of the base protocol's weaknesses: damage on the way is noticed by the
    /// guest only.
    @Test(arguments: [(true, false, 1), (false, true, 1), (true, false, 2), (false, true, 2)])
    func damageOnTheWayKeepsTheGuestAtItsSource(
        checksums: Bool, verify: Bool, connections: Int
    ) throws {
        let ends = try TwoEnds(.tcp(host: "127.0.0.1", port: 0))
        let proxy = try FlippingProxy(to: ends.listener.url)
        try proxy.start(connections: connections + 1)
        // A page that the guest does not write to.
        let page = GuestAddress((4 << 30) + (1 << 20))
        try ends.source.memory.write([UInt8](repeating: FlippingProxy.mark, count: 4096), at: page)
        var options = MigrationOptions(destination: proxy.url)
        options.connections = connections
        options.hasChecksums = checksums
        options.verifiesMemory = verify

        let result = try ends.move(options)

        #expect(proxy.flipCount > 0)
        guard case .running(.endedByPeer(let reason)) = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(reason.text.contains(checksums ? "checksum" : "differs"), "\(reason)")
        guard case .refused(let error) = try ends.destinationResult() else {
            Issue.record("the destination took it")
            return
        }
        switch error {
        case .wrongChecksum(let range):
            #expect(checksums)
            #expect(range.address <= page.rawValue)
        case .differingMemory(let range):
            #expect(verify)
            #expect(range.address <= page.rawValue)
            #expect(page.rawValue < range.address + range.length)
        default: Issue.record("the destination says \(error)")
        }
        #expect(ends.ledger.violations == [])
        #expect(ends.source.isRunning)
    }

    /// What was never touched takes no memory afterwards either, although all memory was compared.
    @Test func untouchedMemoryStaysUntouched() throws {
        let ends = try TwoEnds(temporarySocket("content-sparse"))
        var options = MigrationOptions(destination: ends.listener.url)
        options.verifiesMemory = true
        let before = ends.source.memory.populatedBytes

        let result = ends.movePaused(options)

        guard case .moved = result else {
            Issue.record("the source says \(result)")
            return
        }
        _ = try ends.destinationResult()
        let arrived = try #require(ends.arrivedMemory)
        #expect(before < ends.source.memory.byteCount)
        #expect(ends.source.memory.populatedBytes == before)
        #expect(arrived.populatedBytes <= before)
    }

    @Test func destinationWithoutTheExtensionIsRefusedByName() throws {
        let adjustments: [(inout MigrationOptions) -> Void] = [
            { $0.compression = .zstd }, { $0.hasChecksums = true }, { $0.verifiesMemory = true },
        ]
        for (word, adjust) in zip(["compression", "checksums", "verify"], adjustments) {
            let base = try BaseDestination()
            let source = try LoneSource(base.listener.url)

            let result = try source.move(adjust)

            guard case .running(.unsupported(let reason)) = result else {
                Issue.record("the source says \(result)")
                continue
            }
            #expect(reason.contains("\(word)=off"))
            // Refused before anything of the guest was sent.
            #expect(!base.commands.contains(2))
        }
    }

    @Test func automaticCompressionIsLeftOutWithABasePeer() throws {
        let base = try BaseDestination()
        let source = try LoneSource(base.listener.url)

        let result = try source.move { $0.compression = .automatic }

        guard case .moved = result else {
            Issue.record("the source says \(result)")
            return
        }
    }
}

extension GuestRAM {
    /// Bytes that were ever touched.
    var populatedBytes: UInt64 {
        regions.flatMap { $0.populatedRanges() }.reduce(0) { $0 + $1.length }
    }
}
