import GuestMemory
import LinuxSystem
import Machine
import Migration
import MigrationProtocol
import Synchronization
import Testing
import Transport

/// Peers over real sockets that stop, drip or push in where they should not. The numbers are those
/// of docs/comparison.md.
@Suite struct HostileEndTests {
    /// Number 1: an end of stream in the middle of contents is no end of the wait.
    @Test(arguments: [0, 3, 4095])
    func orderlyEndInsideContentsIsNoticed(bytes: Int) throws {
        let ends = try TwoEnds(temporarySocket("clean-end"))
        var peer = try ends.scriptedSource()
        try peer.exchange(ScriptedPeer.request(1))
        try peer.configure(ends)

        try peer.send(
            ScriptedPeer.request(4, length: 16) + ScriptedPeer.range(0, 4096)
                + [UInt8](repeating: 1, count: bytes))
        peer.channel.close(.orderly)

        guard case .refused(.transport(.truncated)) = try ends.destinationResult() else {
            Issue.record("the destination took it")
            return
        }
        #expect(ends.ledger.everRan == [])
    }

    /// Number 2: what crosses the border of two touching regions is put in its place also when it
    /// arrives in pieces that end anywhere.
    @Test func rangeAcrossRegionsThatArrivesInPiecesIsPutInItsPlace() throws {
        let touching = [
            RegionLayout(slot: 0, start: GuestAddress(0), size: 8192, fileOffset: 0),
            RegionLayout(slot: 1, start: GuestAddress(8192), size: 8192, fileOffset: 8192),
        ]
        let ends = try TwoEnds(temporarySocket("pieces"), layout: touching)
        var peer = try ends.scriptedSource()
        let contents = (0..<16384).map { UInt8(truncatingIfNeeded: $0 / 61 + 1) }
        try peer.exchange(ScriptedPeer.request(1))
        try peer.configure(ends)
        let memory = try #require(ends.arrivedMemory)

        try peer.send(ScriptedPeer.request(4, length: 16) + ScriptedPeer.range(0, 16384))
        for piece in stride(from: 0, to: contents.count, by: 1024) {
            try peer.send(Array(contents[piece..<piece + 1024]))
            // The next one is sent when this one was taken out of the socket.
            let deadline = MonotonicInstant.after(milliseconds: 120_000)
            let last = GuestAddress(UInt64(piece + 1023))
            while try memory.load(UInt8.self, at: last) == 0 {
                try #require(!deadline.hasPassed)
                MonotonicInstant.after(milliseconds: 1).sleep()
            }
        }

        #expect(try peer.receive(16) == ScriptedPeer.ok)
        #expect(
            try memory.read(at: GuestAddress(0), count: 8192)
                + memory.read(at: GuestAddress(8192), count: 8192) == contents)
        peer.channel.close(.abrupt)
    }

    /// Number 26: a source that vanishes between two requests is a failure that is reported, and
    /// nothing of its guest stays.
    @Test(arguments: [ClosingManner.orderly, .abrupt])
    func sourceThatVanishesBetweenRequestsIsAReportedFailure(manner: ClosingManner) throws {
        let ends = try TwoEnds(temporarySocket("vanishes"))
        var peer = try ends.scriptedSource()
        try peer.exchange(ScriptedPeer.request(1))
        try peer.configure(ends)

        peer.channel.close(manner)

        guard case .refused(.transport) = try ends.destinationResult() else {
            Issue.record("the destination took it")
            return
        }
        let isReported = ends.destinationEvents.withLock { events in
            events.contains { if case .receiveFailed = $0 { true } else { false } }
        }
        #expect(isReported)
        #expect(ends.destinationControl.progress().phase == .failed)
    }

    /// One memory connection more than there may be is refused with a reason, and harms nobody.
    @Test func memoryConnectionsAreCounted() throws {
        let ends = try TwoEnds(temporarySocket("many"))
        var peer = try ends.scriptedSource()
        try peer.exchange(ScriptedPeer.request(1))
        try peer.configure(ends)
        let page = ScriptedPeer.range(0, 4096) + [UInt8](repeating: 0xEE, count: 4096)

        let connections = try (0..<128).map { _ in
            var connection = try ends.scriptedSource()
            // Answered: this one is in.
            try connection.exchange([1, 0] + ScriptedPeer.request(4))
            return connection
        }
        var surplus = try ends.scriptedSource()
        // It may be told before it has said all.
        try? surplus.send([1, 0] + ScriptedPeer.request(4, length: 16) + page)
        #expect(try surplus.receive(16) == ScriptedPeer.error)

        try peer.exchange(ScriptedPeer.request(4))
        let memory = try #require(ends.arrivedMemory)
        #expect(try memory.load(UInt8.self, at: GuestAddress(0)) == 0)
        for connection in connections { connection.channel.close(.abrupt) }
        surplus.channel.close(.abrupt)
        peer.channel.close(.abrupt)
    }

    /// A stranger who says a byte at a time keeps no source out.
    @Test func strangerWhoDripsKeepsNoSourceOut() throws {
        let ends = try TwoEnds(temporarySocket("drips"))
        let strangers = try (0..<4).map { _ in try ends.scriptedSource() }
        for stranger in strangers { try stranger.send([1]) }
        for stranger in strangers.prefix(2) { try stranger.send([0, 0]) }

        let result = try ends.move(MigrationOptions(destination: ends.listener.url))

        guard case .moved = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(try ends.destinationResult() == .running)
        for stranger in strangers { stranger.channel.close(.abrupt) }
    }

    /// A destination that says a byte from time to time is not alive for ever.
    @Test(arguments: [DrippingDestination.Moment.start, .config, .memory])
    func destinationThatDripsIsGivenUpInTime(moment: DrippingDestination.Moment) throws {
        let peer = try DrippingDestination(at: moment)
        let source = try LoneSource(peer.listener.url)

        let result = try source.move(over: ImpatientNetwork())

        // All of its answer would take more than ten minutes. One that comes in the middle of
        // contents is no answer, and they have no receiver.
        switch result {
        case .running(.transport(.tooSlow)): break
        case .running(.transport(.answeredEarly)) where moment == .memory: break
        default: Issue.record("the source says \(result)")
        }
        #expect(source.ledger.running == ["source"])
        #expect(source.ledger.violations == [])
    }

    /// Where a source begins to drip.
    enum DrippingMessage: CaseIterable { case start, token, config, memory, contents, state }

    /// A source that says a byte from time to time holds no destination.
    @Test(arguments: DrippingMessage.allCases)
    func sourceThatDripsIsGivenUpInTime(message: DrippingMessage) throws {
        let ends = try TwoEnds(temporarySocket("slow-source"), isImpatient: true)
        var peer = try ends.scriptedSource()
        var dripping = ScriptedPeer.request(1)
        if message != .start { try begin(&peer, as: message) }
        switch message {
        case .start: break
        case .token: dripping = [UInt8](repeating: 7, count: 16)
        case .config: dripping = [UInt8](repeating: 123, count: 4096)
        case .memory: dripping = ScriptedPeer.request(4, length: 16)
        case .contents: dripping = [UInt8](repeating: 1, count: 4096)
        case .state: dripping = [UInt8](repeating: 1, count: 4096)
        }
        if message == .memory || message == .contents || message == .state {
            try peer.configure(ends)
            try peer.send(
                message == .contents
                    ? ScriptedPeer.request(4, length: 16) + ScriptedPeer.range(0, 4096)
                    : message == .state ? ScriptedPeer.request(3, length: 4096) : [])
        }

        // What is a main connection shows with the first two bytes; the rest drips.
        try drip(message == .start ? dripping : [0] + dripping.dropFirst(), from: peer)

        if message == .start {
            // Nobody had come yet: the destination waits on.
            let result = try ends.move(MigrationOptions(destination: ends.listener.url))
            guard case .moved = result else {
                Issue.record("the source says \(result)")
                return
            }
            #expect(try ends.destinationResult() == .running)
        } else {
            guard case .refused(.transport(.tooSlow)) = try ends.destinationResult() else {
                Issue.record("the destination says \(try ends.destinationResult())")
                return
            }
            #expect(ends.ledger.everRan == [])
        }
    }

    /// Says what comes before the message that drips.
    private func begin(_ peer: inout ScriptedPeer, as message: DrippingMessage) throws {
        guard message == .token else {
            try peer.exchange(ScriptedPeer.request(1))
            if message == .config { try peer.send(ScriptedPeer.request(2, length: 4096)) }
            return
        }
        try peer.send(StartOffer(extensions: .offered).request.encoded)
        #expect(try peer.receive(16)[0] == 1)
        try peer.send([0, 0x4D] + ScriptedPeer.request(0, length: 16)[2...])
    }

    /// Sends bytes one by one until the other end has enough of that.
    private func drip(_ bytes: [UInt8], from peer: ScriptedPeer) throws {
        for byte in bytes {
            do {
                try peer.send([byte])
                HostNetwork(allowsPlainTCP: false).sleep(
                    until: .after(milliseconds: 250), unless: nil)
            } catch {
                return
            }
        }
        Issue.record("the other end took all of it")
    }

    /// A destination that ends in the middle of contents, one way or the other.
    @Test(arguments: [ClosingManner.orderly, .abrupt])
    func destinationThatEndsInsideContentsLeavesTheGuestRunning(manner: ClosingManner) throws {
        let peer = try DrippingDestination { peer in
            var peer = peer
            for _ in 0..<3 {
                let request = try peer.receive(16)
                let length = (0..<8).reduce(0) { $0 | Int(request[8 + $1]) << ($1 * 8) }
                _ = try peer.receive(length)
                if request[0] == 4 { return peer.channel.close(manner) }
                try peer.send(ScriptedPeer.ok)
            }
        }
        let source = try LoneSource(peer.listener.url)

        let result = try source.move { $0.offersExtensions = false }

        guard case .running(.transport) = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(source.ledger.running == ["source"])
        #expect(source.ledger.violations == [])
    }

    /// What a destination may say that makes no sense, to a source which offers extensions.
    @Test(
        arguments: [
            // An extension accepted that was not offered; an answer of the future; Running to Start;
            // Returned where cancel was not accepted; a text without end.
            ([1, 0, 0x4C, 0x4D, 0, 0x80], 0), ([0x77, 0], 0), ([0, 0x4D], 0), ([1, 0x4D], 0),
            ([2, 0, 0x4C, 0x4D, 1, 0], 1 << 40),
        ] as [([UInt8], Int)])
    func answerThatMakesNoSenseLeavesTheGuestRunning(head: [UInt8], length: Int) throws {
        let padded = head + [UInt8](repeating: 0, count: 8 - head.count)
        let answer = padded + ScriptedPeer.request(0, length: length)[8...]
        let peer = try DrippingDestination(answering: answer)
        let source = try LoneSource(peer.listener.url)

        let result = try source.move()

        guard case .running(let error) = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(!error.description.isEmpty)
        #expect(source.ledger.running == ["source"])
        #expect(source.ledger.violations == [])
    }
}

/// A destination that answers with an Error whose text comes a byte at a time, or with anything
/// else that the test wants.
final class DrippingDestination: Sendable {
    /// Which request is answered so.
    enum Moment: UInt8, Sendable {
        case start = 1
        case config = 2
        case memory = 4
    }

    let listener: SocketListener
    private let worker: WorkerThread

    convenience init(at moment: Moment) throws {
        // Error with 4096 bytes of text, as long as it may be.
        let answer = ScriptedPeer.error.prefix(8) + ScriptedPeer.request(0, length: 4096)[8...]
        try self.init { peer in
            var peer = peer
            while true {
                let request = try peer.receive(16)
                guard request[0] < moment.rawValue else { break }
                let length = (0..<8).reduce(0) { $0 | Int(request[8 + $1]) << ($1 * 8) }
                if length > 0 { _ = try peer.receive(length) }
                // Error text is all that is accepted.
                let accepted: [UInt8] = request[0] == 1 ? [0x4C, 0x4D, 1, 0] : [0, 0, 0, 0]
                try peer.send([1, 0] + accepted + [UInt8](repeating: 0, count: 10))
            }
            let head: [UInt8] = moment == .start ? [2, 0, 0x4C, 0x4D, 1, 0, 0, 0] : []
            for byte in head + answer.dropFirst(head.count) + [UInt8](repeating: 65, count: 4096) {
                try peer.send([byte])
                HostNetwork(allowsPlainTCP: false).sleep(
                    until: .after(milliseconds: 200), unless: nil)
            }
        }
    }

    /// Answers each connection's first request with these bytes.
    convenience init(answering answer: [UInt8]) throws {
        try self.init { peer in
            var peer = peer
            _ = try peer.receive(16)
            try peer.send(answer)
            _ = try peer.receive(16)
        }
    }

    init(serve: @escaping @Sendable (ScriptedPeer) throws -> Void) throws {
        let listener = try HostNetwork(allowsPlainTCP: false).listen(on: temporarySocket("drip"))
        self.listener = listener
        worker = try WorkerThread(name: "dripping") { _ in
            while let channel = try? listener.accept(within: OperationLimits()) {
                try? serve(ScriptedPeer(channel))
                channel.close(.abrupt)
            }
        }
    }

    deinit { listener.close() }
}
