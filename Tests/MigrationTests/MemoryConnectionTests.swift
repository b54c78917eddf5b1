import GuestMemory
import LinuxSystem
import Machine
import Migration
import MigrationProtocol
import Synchronization
import Testing
import Transport

/// Memory over several connections, between real ends and against strangers.
@Suite struct MemoryConnectionTests {
    @Test(arguments: [2, 5, 128])
    func runningGuestMovesOverManyConnections(count: Int) throws {
        let ends = try TwoEnds(.tcp(host: "127.0.0.1", port: 0))
        var options = MigrationOptions(destination: ends.listener.url)
        options.connections = count

        let result = try ends.move(options)

        guard case .moved(let summary) = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(try ends.destinationResult() == .running)
        #expect(try ends.differingPages() == [])
        #expect(ends.ledger.violations == [])
        #expect(summary.memoryBytes > 0)
    }

    /// What one of them waits for, such as a handshake, does not keep the others from being made.
    @Test func connectionsAreMadeAtTheSameTime() throws {
        let ends = try TwoEnds(.tcp(host: "127.0.0.1", port: 0))
        var options = MigrationOptions(destination: ends.listener.url)
        options.connections = 8

        let result = try ends.move(options, over: GatheringNetwork(count: 8))

        guard case .moved = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(try ends.destinationResult() == .running)
        #expect(try ends.differingPages() == [])
    }

    /// The first connection that fails ends the migration, and nothing of the others stays.
    @Test func connectionThatCannotBeMadeLeavesTheGuestHere() throws {
        let ends = try TwoEnds(.tcp(host: "127.0.0.1", port: 0))
        var options = MigrationOptions(destination: ends.listener.url)
        options.connections = 3

        // One too few come, so that none can be made.
        let result = try ends.move(options, over: GatheringNetwork(count: 4, patienceSeconds: 2))

        #expect(
            result
                == .running(.transport(.silent(peer: "\(ends.listener.url)", seconds: 2))),
            "\(result)")
        guard case .refused = try ends.destinationResult() else {
            Issue.record("the destination took it")
            return
        }
    }

    @Test func pausedGuestMovesOverManyConnections() throws {
        let ends = try TwoEnds(temporarySocket("paused-many"))
        var options = MigrationOptions(destination: ends.listener.url)
        options.connections = 3

        let result = ends.movePaused(options)

        guard case .moved = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(try ends.destinationResult() == .paused)
        #expect(try ends.differingPages() == [])
    }

    /// The weakness that is number 22 in the list of the base protocol's: whoever reaches the port
    /// can write guest memory.
    @Test(arguments: [
        [0x01, 0x00], [0x02, 0x00], [0x01, 0x4D] + [UInt8](repeating: 0, count: 16),
        [0x01, 0x4D] + [UInt8](repeating: 0xA5, count: 16),
    ])
    func strangersDoNotWrite(introduction: [UInt8]) throws {
        let ends = try TwoEnds(temporarySocket("stranger"))
        let url = ends.listener.url
        let refused = Mutex(false)
        var options = MigrationOptions(destination: url)
        options.connections = 2
        ends.whenSource { event in
            guard event == .memoryIteration(0) else { return }
            // The first page is not zero and would be overwritten.
            let stranger = try? HostNetwork(allowsPlainTCP: false).connect(
                to: url, within: OperationLimits())
            guard let stranger else { return }
            var answer: [UInt8] = []
            try? stranger.send(
                introduction + ScriptedPeer.request(4, length: 16) + ScriptedPeer.range(0, 4096)
                    + [UInt8](repeating: 0xEE, count: 4096), within: OperationLimits())
            let wasAnswered: Void? = try? stranger.receive(
                16, into: &answer, within: OperationLimits())
            refused.withLock { $0 = wasAnswered == nil || answer[0] == 2 }
            stranger.close(.abrupt)
        }

        let result = try ends.move(options)

        guard case .moved = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(try ends.destinationResult() == .running)
        #expect(refused.withLock { $0 })
        #expect(try ends.differingPages() == [])
    }

    /// Number 24 there: a silent client blocks the others.
    @Test func silentStrangersKeepNobodyWaiting() throws {
        let ends = try TwoEnds(temporarySocket("silent"))
        let network = HostNetwork(allowsPlainTCP: false)
        let strangers = try (0..<32).map { _ in
            try network.connect(to: ends.listener.url, within: OperationLimits())
        }
        var options = MigrationOptions(destination: ends.listener.url)
        options.connections = 2
        let start = MonotonicInstant.now

        let result = try ends.move(options)

        // Each of them may be silent for 5 s; one after the other that would be 160.
        #expect(MonotonicInstant.now.nanoseconds(since: start) < 80_000_000_000)
        guard case .moved = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(try ends.destinationResult() == .running)
        for stranger in strangers { stranger.close(.abrupt) }
    }

    @Test func rangeOutsideMemoryIsRefusedWithItsReasonOnAMemoryConnection() throws {
        let ends = try TwoEnds(temporarySocket("outside"))
        var peer = try ends.scriptedSource()
        try peer.exchange(ScriptedPeer.request(1))
        try peer.configure(ends)
        var second = ScriptedPeer(
            try HostNetwork(allowsPlainTCP: false).connect(
                to: ends.listener.url, within: OperationLimits()))

        try second.send(
            [1, 0] + ScriptedPeer.request(4, length: 16) + ScriptedPeer.range(1 << 40, 4096))

        #expect(try second.receive(16) == ScriptedPeer.error)
        second.channel.close(.abrupt)
        peer.channel.close(.abrupt)
    }

    /// A source of the base protocol with two additional connections, written down byte by byte.
    @Test func baseSourceSendsMemoryOverAdditionalConnections() throws {
        let ends = try TwoEnds(temporarySocket("base-many"))
        var peer = try ends.scriptedSource()
        let state = try ends.source.saveState()
        try peer.exchange(ScriptedPeer.request(1))
        try peer.configure(ends)
        for number in 0..<2 as Range<UInt64> {
            var other = ScriptedPeer(
                try HostNetwork(allowsPlainTCP: false).connect(
                    to: ends.listener.url, within: OperationLimits()))
            try other.send([1, 0])
            try other.exchange(
                ScriptedPeer.request(4, length: 16) + ScriptedPeer.range(number * 4096, 4096)
                    + [UInt8](repeating: UInt8(number) + 1, count: 4096))
            other.channel.close(.orderly)
        }
        try peer.exchange(ScriptedPeer.request(3, length: state.count) + state)
        try peer.exchange(ScriptedPeer.request(5))
        peer.channel.close(.abrupt)

        #expect(try ends.destinationResult() == .running)
        let memory = try #require(ends.arrivedMemory)
        #expect(try memory.load(UInt8.self, at: GuestAddress(4095)) == 1)
        #expect(try memory.load(UInt8.self, at: GuestAddress(4096)) == 2)
    }

    /// Memory that is still on its way when the state comes would be written into a guest that
    /// may already run.
    @Test func stateBeforeTheEndOfMemoryIsRefused() throws {
        let ends = try TwoEnds(temporarySocket("early-state"))
        var peer = try ends.scriptedSource()
        let state = try ends.source.saveState()
        try peer.exchange(ScriptedPeer.request(1))
        try peer.configure(ends)
        let other = ScriptedPeer(
            try HostNetwork(allowsPlainTCP: false).connect(
                to: ends.listener.url, within: OperationLimits()))
        try other.send([1, 0] + ScriptedPeer.request(4, length: 16) + ScriptedPeer.range(0, 4096))
        // It has begun once its first bytes are there.
        try other.send([UInt8](repeating: 7, count: 100))
        let memory = try #require(ends.arrivedMemory)
        let deadline = MonotonicInstant.after(milliseconds: 120_000)
        while try memory.load(UInt8.self, at: GuestAddress(99)) != 7 {
            try #require(!deadline.hasPassed)
        }

        try peer.send(ScriptedPeer.request(3, length: state.count) + state)

        #expect(try peer.receive(16) == ScriptedPeer.error)
        other.channel.close(.abrupt)
        peer.channel.close(.abrupt)
        guard case .refused = try ends.destinationResult() else {
            Issue.record("the destination took it")
            return
        }
    }
}
