import Migration
import MigrationProtocol
import Testing

@Suite struct WireFuzzingTests {
    /// What follows the beginning until the guest is the destination's.
    private static let ending =
        Request(.state, length: 24).encoded + [UInt8](repeating: 3, count: 24)
        + Request(.takeover).encoded

    @Test(arguments: [false, true])
    func beginningIsThatOfAGoodSource(isLocal: Bool) {
        #expect(WireFuzzing.runDestination(WireFuzzing.beginning(isLocal: isLocal) + Self.ending))
    }

    @Test(arguments: [false, true])
    func everyCutLeavesTheGuestWithItsSource(isLocal: Bool) {
        let bytes = WireFuzzing.beginning(isLocal: isLocal) + Self.ending
        for count in bytes.indices {
            #expect(!WireFuzzing.runDestination(Array(bytes[..<count])), "cut after \(count)")
        }
    }

    @Test func damagedBytesHarmNobody() {
        var random = SplitMix64(seed: environmentSeed ?? 1)
        let good = WireFuzzing.beginning(isLocal: false) + Self.ending
        for _ in 0..<2000 {
            var bytes = good
            for _ in 0..<(1 + random.next() % 4) {
                let place = Int(random.next() % UInt64(bytes.count))
                bytes[place] = UInt8(truncatingIfNeeded: random.next())
            }
            WireFuzzing.runDestination(bytes)
        }
    }

    @Test(arguments: 0..<5)
    func arbitraryBytesHarmNobody(kind: UInt8) {
        var random = SplitMix64(seed: (environmentSeed ?? 1) &+ UInt64(kind))
        for _ in 0..<500 {
            let count = Int(random.next() % 256)
            let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next() % 40) }
            WireFuzzing.run([kind] + bytes)
        }
    }
}
