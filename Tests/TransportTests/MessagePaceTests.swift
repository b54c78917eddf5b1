import LinuxSystem
import Synchronization
import Testing
import Transport

/// Peers that let bytes drip, each of which starts the idle limit anew.
@Suite struct MessagePaceTests {
    private let start = MonotonicInstant(nanoseconds: 1_000_000_000_000)

    private func at(milliseconds: UInt64) -> MonotonicInstant {
        start.advanced(byNanoseconds: milliseconds * 1_000_000)
    }

    @Test func nothingIsLimitedBeforeAMessageBegins() {
        let limits = MessagePace().applied(to: OperationLimits(idleSeconds: 1))

        #expect(limits.end(from: start) == at(milliseconds: 1000))
        #expect(limits.expiry(at: start, peer: "p") == .silent(peer: "p", seconds: 1))
    }

    @Test func bytesThatDripUseTheReserveUp() {
        let idle = OperationLimits(idleSeconds: 1)
        var pace = MessagePace()
        for tenth in 0..<20 as Range<UInt64> {
            pace.note(1, within: idle, at: at(milliseconds: tenth * 100))
        }

        let now = at(milliseconds: 2100)
        let limits = pace.applied(to: idle)
        #expect(limits.end(from: now) <= now)
        #expect(limits.expiry(at: now, peer: "p") == .tooSlow(peer: "p"))
    }

    @Test func bytesThatFlowAreWaitedForHoweverLong() {
        let idle = OperationLimits(idleSeconds: 1)
        var pace = MessagePace()
        for second in 0..<10_000 as Range<UInt64> {
            let now = at(milliseconds: second * 900)
            #expect(pace.applied(to: idle).end(from: now) > now)
            pace.note(8192, within: idle, at: now)
        }
    }

    /// What one large piece brought is no reserve for ever.
    @Test func aLargeBeginningBuysNoMoreTime() {
        let idle = OperationLimits(idleSeconds: 1)
        var pace = MessagePace()
        pace.note(1 << 30, within: idle, at: start)
        pace.note(1 << 30, within: idle, at: start)

        #expect(pace.applied(to: idle).end(from: at(milliseconds: 1900)) == at(milliseconds: 2000))
    }

    /// A process that was stopped finds its message behind time, and what came meanwhile.
    @Test func bytesAfterAPauseOfThisEndCount() {
        let idle = OperationLimits(idleSeconds: 1)
        var pace = MessagePace()
        pace.note(1, within: idle, at: start)
        let later = at(milliseconds: 1_800_000)
        pace.note(4096, within: idle, at: later)

        #expect(pace.applied(to: idle).end(from: later) > later)
    }

    @Test func peerThatIsBusyElsewhereIsNotTooSlow() {
        let activity = PeerActivity()
        let idle = OperationLimits(idleSeconds: 1, activity: activity)
        var pace = MessagePace()
        pace.note(1, within: idle, at: start)
        let now = at(milliseconds: 5000)
        activity.note(at: now)

        #expect(pace.applied(to: idle).end(from: now) == at(milliseconds: 6000))
    }

    /// How a dripping peer is received from.
    enum Reception: CaseIterable { case bytes, memory }

    @Test(arguments: ChannelPair.urls, Reception.allCases)
    func peerThatDripsIsNoticed(url: MigrationURL, reception: Reception) throws {
        let pair = try ChannelPair(url)
        let dripper = try WorkerThread(name: "dripper") { _ in
            // Until the other end closes.
            while (try? pair.client.send([7], within: OperationLimits())) != nil {
                HostNetwork(allowsPlainTCP: false).sleep(
                    until: .after(milliseconds: 20), unless: nil)
            }
        }
        let memory = try TestMemory(bytes: 1 << 20)
        var bytes: [UInt8] = []

        #expect(throws: TransportError.tooSlow(peer: pair.server.peer)) {
            switch reception {
            case .bytes:
                try pair.server.receive(
                    1 << 20, into: &bytes, within: OperationLimits(idleSeconds: 1))
            case .memory:
                try pair.server.receive(
                    into: [memory.segment], within: OperationLimits(idleSeconds: 1))
            }
        }
        pair.server.close(.abrupt)
        dripper.join()
    }
}
