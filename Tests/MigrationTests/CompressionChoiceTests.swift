import ContentCoding
import LinuxSystem
import Testing

@testable import Migration

/// What "auto" learns from a link and from senders whose rates the test decides.
@Suite struct CompressionChoiceTests {
    /// A link, senders and contents.
    struct World {
        /// Bytes per second on the wire.
        var link: UInt64
        /// Bytes of contents per second that all senders compress, by method.
        var senders: [CompressionMethod: UInt64]
        /// Compressed size in thousandths.
        var size: [CompressionMethod: UInt64]
        /// Contents per second that the destination decompresses.
        var destination = UInt64.max

        func rate(_ way: CompressionMethod?) -> UInt64 {
            guard let way else { return link }
            return min(senders[way] ?? 1, link * 1000 / (size[way] ?? 1000), destination)
        }
    }

    /// Sends with a choice for so many seconds of an imagined clock.
    ///
    /// - Returns: the bytes that went each way.
    private func send(
        _ choice: inout CompressionChoice, in world: World, from start: UInt64, seconds: UInt64
    ) -> [CompressionMethod?: UInt64] {
        var now = start
        var sent: [CompressionMethod?: UInt64] = [:]
        while now < start + seconds * 1_000_000_000 {
            let way = choice.current
            if choice.wantsSample() {
                for method in CompressionMethod.allCases {
                    choice.sampled(
                        method, contentBytes: 1_000_000,
                        storedBytes: Int((world.size[method] ?? 1000) * 1000),
                        nanoseconds: 1_000_000_000_000_000 / (world.senders[method] ?? 1))
                }
            }
            now += 4_000_000 * 1_000_000_000 / world.rate(way)
            choice.answered(way, contentBytes: 4_000_000, at: MonotonicInstant(nanoseconds: now))
            sent[way, default: 0] += 4_000_000
        }
        return sent
    }

    private let slowLink = World(
        link: 100_000_000, senders: [.lz4: 1_500_000_000, .zstd: 500_000_000],
        size: [.lz4: 500, .zstd: 300])

    @Test func slowLinkIsWorthZstd() {
        var choice = CompressionChoice(always: nil, senderCount: 1)
        let sent = send(&choice, in: slowLink, from: 0, seconds: 60)
        #expect((sent[.zstd] ?? 0) > 8 * (sent[nil] ?? 0), "\(sent)")
    }

    @Test func fastLinkIsWorthNothing() {
        var choice = CompressionChoice(always: nil, senderCount: 1)
        var world = slowLink
        world.link = 3_000_000_000
        let sent = send(&choice, in: world, from: 0, seconds: 60)
        #expect(sent.keys.allSatisfy { $0 == nil })
    }

    @Test func linkBetweenThemIsWorthLZ4() {
        var choice = CompressionChoice(always: nil, senderCount: 1)
        var world = slowLink
        world.link = 800_000_000
        let sent = send(&choice, in: world, from: 0, seconds: 60)
        #expect((sent[.lz4] ?? 0) > 4 * (sent[nil] ?? 0), "\(sent)")
    }

    @Test func contentsThatDoNotShrinkAreSentAsTheyAre() {
        var choice = CompressionChoice(always: nil, senderCount: 4)
        var world = slowLink
        world.size = [:]
        let sent = send(&choice, in: world, from: 0, seconds: 10)
        #expect(sent.keys.allSatisfy { $0 == nil })
    }

    /// The destination's own rate is in no forecast: only the measurement finds it.
    @Test func destinationThatIsTooSlowEndsIt() {
        var choice = CompressionChoice(always: nil, senderCount: 4)
        var world = slowLink
        world.destination = 50_000_000
        let sent = send(&choice, in: world, from: 0, seconds: 120)
        let tried = (sent[.lz4] ?? 0) + (sent[.zstd] ?? 0)
        #expect(tried > 0)
        #expect(tried * 5 < sent[nil] ?? 0, "\(sent)")
    }

    @Test func linkThatBecomesFasterEndsIt() {
        var choice = CompressionChoice(always: nil, senderCount: 1)
        _ = send(&choice, in: slowLink, from: 0, seconds: 20)
        #expect(choice.current == .zstd)
        var world = slowLink
        world.link = 3_000_000_000
        _ = send(&choice, in: world, from: 20_000_000_000, seconds: 20)
        #expect(choice.current == nil)
        let sent = send(&choice, in: slowLink, from: 40_000_000_000, seconds: 20)
        #expect((sent[.zstd] ?? 0) > (sent[nil] ?? 0), "\(sent)")
    }

    @Test func methodThatWasAskedForIsKept() {
        var choice = CompressionChoice(always: .lz4, senderCount: 1)
        var world = slowLink
        world.link = 3_000_000_000
        let sent = send(&choice, in: world, from: 0, seconds: 10)
        #expect(sent.keys.allSatisfy { $0 == .lz4 })
    }
}
