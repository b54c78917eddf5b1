import GuestMemory
import LinuxSystem
import Machine
import Migration
import MigrationProtocol
import Synchronization
import Testing
import Transport

/// The destination against sources that are written down byte by byte.
@Suite struct DestinationAgainstPeerTests {
    @Test func baseSourceHandsItsGuestOver() throws {
        let ends = try TwoEnds(temporarySocket("base-source"))
        var peer = try ends.scriptedSource()
        let state = try ends.source.saveState()

        try peer.exchange(ScriptedPeer.request(1))
        try peer.configure(ends)
        try peer.exchange(
            ScriptedPeer.request(4, length: 16) + ScriptedPeer.range(0x10_0000, 8192)
                + [UInt8](repeating: 0xAB, count: 8192))
        try peer.exchange(ScriptedPeer.request(3, length: state.count) + state)
        try peer.exchange(ScriptedPeer.request(5))
        peer.channel.close(.abrupt)

        #expect(try ends.destinationResult() == .running)
        let memory = try #require(ends.arrivedMemory)
        #expect(try memory.load(UInt64.self, at: GuestAddress(0x10_1FF8)) == 0xABAB_ABAB_ABAB_ABAB)
        #expect(try memory.load(UInt64.self, at: GuestAddress(0x10_2000)) == 0)
    }

    @Test func completePausedLeavesTheGuestPaused() throws {
        let ends = try TwoEnds(temporarySocket("base-paused"))
        var peer = try ends.scriptedSource()
        let state = try ends.source.saveState()

        try peer.exchange(ScriptedPeer.request(1))
        try peer.configure(ends)
        try peer.exchange(ScriptedPeer.request(3, length: state.count) + state)
        try peer.exchange(ScriptedPeer.request(8))
        peer.channel.close(.abrupt)

        #expect(try ends.destinationResult() == .paused)
        #expect(ends.ledger.everRan == [])
    }

    @Test func rangeAcrossTouchingRegionsIsSplit() throws {
        let touching = [
            RegionLayout(slot: 0, start: GuestAddress(0), size: 8192, fileOffset: 0),
            RegionLayout(slot: 1, start: GuestAddress(8192), size: 8192, fileOffset: 8192),
        ]
        let ends = try TwoEnds(temporarySocket("touching"), layout: touching)
        var peer = try ends.scriptedSource()
        let contents = (0..<16384).map { UInt8(truncatingIfNeeded: $0 / 64) }

        try peer.exchange(ScriptedPeer.request(1))
        try peer.configure(ends)
        try peer.exchange(
            ScriptedPeer.request(4, length: 16) + ScriptedPeer.range(0, 16384) + contents)

        let memory = try #require(ends.arrivedMemory)
        #expect(try memory.read(at: GuestAddress(0), count: 8192) == Array(contents[..<8192]))
        #expect(try memory.read(at: GuestAddress(8192), count: 8192) == Array(contents[8192...]))
        peer.channel.close(.abrupt)
    }

    /// What a hostile or broken source may send after Start, and what the refusal names.
    @Test(arguments: [
        (ScriptedPeer.request(4, length: 16), "Memory"),
        (ScriptedPeer.request(2, length: 1 << 40), "Config"),
        (ScriptedPeer.request(2, length: -1), "Config"),
        (ScriptedPeer.request(3, length: 4), "State"),
        (ScriptedPeer.request(5), "Complete"),
        (ScriptedPeer.request(1), "Start"),
        (ScriptedPeer.request(0), "command 0"),
        (ScriptedPeer.request(99), "command 99"),
        (ScriptedPeer.request(2, length: 5) + Array("{\"a\":".utf8), "configuration"),
    ])
    func wrongRequestAfterStartIsRefusedByName(bytes: [UInt8], name: String) throws {
        let ends = try TwoEnds(temporarySocket("wrong"))
        var peer = try ends.scriptedSource()

        try peer.exchange(ScriptedPeer.request(1))
        try peer.send(bytes)

        #expect(try peer.receive(16) == ScriptedPeer.error)
        peer.channel.close(.abrupt)
        guard case .refused(let error) = try ends.destinationResult() else {
            Issue.record("the destination took it")
            return
        }
        #expect(error.description.contains(name), "\(error)")
        #expect(ends.ledger.everRan == [])
    }

    /// What a hostile source may send as memory.
    @Test(arguments: [
        ScriptedPeer.request(4, length: 15),
        ScriptedPeer.request(4, length: 16) + ScriptedPeer.range(64 << 20, 4096),
        ScriptedPeer.request(4, length: 16) + ScriptedPeer.range((4 << 20) - 4096, 8192),
        ScriptedPeer.request(4, length: 16) + ScriptedPeer.range(.max - 4095, 8192),
        ScriptedPeer.request(4, length: 16) + ScriptedPeer.range(0, .max),
        ScriptedPeer.request(4, length: 1 << 50),
        ScriptedPeer.request(3, length: 1 << 50),
        ScriptedPeer.request(2, length: 2) + [0x7B, 0x7D],
    ])
    func memoryThatIsNotTheGuestsIsRefused(bytes: [UInt8]) throws {
        let ends = try TwoEnds(temporarySocket("hostile"))
        var peer = try ends.scriptedSource()

        try peer.exchange(ScriptedPeer.request(1))
        try peer.configure(ends)
        try peer.send(bytes)

        #expect(try peer.receive(16) == ScriptedPeer.error)
        peer.channel.close(.abrupt)
        guard case .refused = try ends.destinationResult() else {
            Issue.record("the destination took it")
            return
        }
        #expect(ends.ledger.everRan == [])
    }

    @Test func streamThatEndsInsideContentsIsNoticed() throws {
        let ends = try TwoEnds(temporarySocket("truncated"))
        var peer = try ends.scriptedSource()

        try peer.exchange(ScriptedPeer.request(1))
        try peer.configure(ends)
        try peer.send(
            ScriptedPeer.request(4, length: 16) + ScriptedPeer.range(0, 4096) + [1, 2, 3])
        peer.channel.close(.abrupt)

        guard case .refused(.transport(.truncated)) = try ends.destinationResult() else {
            Issue.record("the destination took it")
            return
        }
    }

    @Test func abandonEndsTheMigration() throws {
        let ends = try TwoEnds(temporarySocket("abandon"))
        var peer = try ends.scriptedSource()

        try peer.exchange(ScriptedPeer.request(1))
        try peer.configure(ends)
        try peer.exchange(ScriptedPeer.request(6))
        peer.channel.close(.abrupt)

        guard case .refused(.endedByPeer) = try ends.destinationResult() else {
            Issue.record("the destination took it")
            return
        }
    }

    @Test func connectionThatSaysNothingDoesNotEndTheWait() throws {
        let ends = try TwoEnds(temporarySocket("probe"))
        let network = HostNetwork(allowsPlainTCP: false)
        try network.connect(to: ends.listener.url, within: OperationLimits()).close(.abrupt)

        let result = try ends.move(MigrationOptions(destination: ends.listener.url))

        guard case .moved = result else {
            Issue.record("the source says \(result)")
            return
        }
    }

    @Test func secondSourceIsToldThatTheDestinationIsBusy() throws {
        let ends = try TwoEnds(temporarySocket("busy"))
        var first = try ends.scriptedSource()
        try first.exchange(ScriptedPeer.request(1))

        let second = try LoneSource(ends.listener.url)
        let result = try second.move()

        guard case .running(.endedByPeer(let reason)) = result else {
            Issue.record("the second source says \(result)")
            return
        }
        #expect(reason.text.contains("another migration"))
        first.channel.close(.abrupt)
    }

    @Test func inquiryAfterAnUnknownSessionFreesNobody() throws {
        let ends = try TwoEnds(temporarySocket("inquiry"))
        var peer = try ends.scriptedSource()
        try peer.send([0x00, 0x4D] + [UInt8](repeating: 7, count: 16))

        let answer = try peer.receive(16)

        #expect(answer == Response(.unknown).encoded)
        let result = try ends.move(MigrationOptions(destination: ends.listener.url))
        guard case .moved = result else {
            Issue.record("the source says \(result)")
            return
        }
    }
}

extension TwoEnds {
    /// A connection to the destination on which the test speaks.
    func scriptedSource() throws -> ScriptedPeer {
        ScriptedPeer(
            try HostNetwork(allowsPlainTCP: false).connect(
                to: listener.url, within: OperationLimits()))
    }

    /// The memory of the machine at the destination.
    var arrivedMemory: GuestRAM? { arrived.withLock { $0?.memory } }
}

extension ScriptedPeer {
    /// Sends a request and expects Ok.
    mutating func exchange(_ bytes: [UInt8]) throws {
        try send(bytes)
        #expect(try receive(16) == ScriptedPeer.ok)
    }

    /// Sends the configuration of the guest at the source.
    ///
    /// - Parameter restoreMicroseconds: what the destination tells in its answer, as it does to a
    ///   source with which it agreed on takeover.
    mutating func configure(_ ends: TwoEnds, restoreMicroseconds: UInt32 = 0) throws {
        let description = try ends.source.describe()
        let payload = try ConfigPayload(
            guestConfiguration: description.configuration, processorFeatures: [],
            memory: MemoryDescription(
                guestMappings: description.regions.map {
                    MemoryDescription.Mapping(
                        slot: $0.slot, address: $0.start.rawValue, size: $0.size,
                        fileOffset: $0.fileOffset)
                }, startOfDeviceArea: 0),
            martlet: MartletDescription(
                version: "test", components: [], pageSize: 4096, hiddenFeatures: [])
        ).encoded()
        try send(ScriptedPeer.request(2, length: payload.count) + payload)
        var answer = ScriptedPeer.ok
        for byte in 0..<4 {
            answer[4 + byte] = UInt8(truncatingIfNeeded: restoreMicroseconds >> UInt32(8 * byte))
        }
        #expect(try receive(16) == answer)
    }
}
