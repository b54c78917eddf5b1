import LinuxSystem
import Testing
import Transport

@Suite struct SocketChannelTests {
    @Test(arguments: ChannelPair.urls)
    func bytesArriveExactlyAndInOrder(url: MigrationURL) throws {
        let pair = try ChannelPair(url)
        var received: [UInt8] = [9, 9, 9, 9, 9]

        try pair.client.send([1, 2, 3], within: OperationLimits())
        try pair.client.send([4, 5], within: OperationLimits())
        try pair.server.receive(4, into: &received, within: OperationLimits())

        #expect(received == [1, 2, 3, 4])
    }

    @Test(arguments: ChannelPair.urls)
    func memoryMovesWithoutLossWhateverTheSegments(url: MigrationURL) throws {
        let pair = try ChannelPair(url)
        let bytes = 24 << 20
        let from = try TestMemory(bytes: bytes)
        let to = try TestMemory(bytes: bytes)
        for index in stride(from: 0, to: bytes, by: 509) { from[index] = UInt8(index % 251) }
        // More pieces than one call takes, of odd sizes, an empty one among them.
        var pieces = stride(from: 0, to: bytes, by: 8209).compactMap { start in
            from.segment.part(offset: start, length: min(8209, bytes - start))
        }
        pieces.insert(contentsOf: [try #require(from.segment.part(offset: 0, length: 0))], at: 7)
        let content = pieces
        let sender = try WorkerThread(name: "sender") { _ in
            try? pair.client.send([7], content, within: OperationLimits())
        }
        var head: [UInt8] = []

        try pair.server.receive(1, into: &head, within: OperationLimits())
        try pair.server.receive(into: [to.segment], within: OperationLimits())
        sender.join()

        #expect(head == [7])
        #expect(stride(from: 0, to: bytes, by: 509).allSatisfy { to[$0] == UInt8($0 % 251) })
    }

    /// Number 35 in docs/comparison.md: descriptors come in any order there.
    @Test func descriptorArrivesWithItsBytes() throws {
        let pair = try ChannelPair(.unix(path: temporaryPath("descriptor")))
        let file = try MemoryFile(name: "passed", size: 4096)
        var bytes: [UInt8] = []

        try pair.client.send([1, 2, 3, 4], with: file.descriptor, within: OperationLimits())
        let received = try pair.server.receiveDescriptor(
            with: 4, into: &bytes, within: OperationLimits())

        #expect(bytes == [1, 2, 3, 4])
        #expect(try received.regularFileSize == 4096)
    }

    @Test func bytesWithoutTheirDescriptorAreAnError() throws {
        let pair = try ChannelPair(.unix(path: temporaryPath("missing")))
        var bytes: [UInt8] = []
        try pair.client.send([1, 2, 3, 4], within: OperationLimits())

        #expect(throws: TransportError.descriptorMissing(peer: pair.server.peer)) {
            _ = try pair.server.receiveDescriptor(
                with: 4, into: &bytes, within: OperationLimits())
        }
    }

    @Test func descriptorNobodyAskedForIsAnError() throws {
        let pair = try ChannelPair(.unix(path: temporaryPath("surplus")))
        let file = try MemoryFile(name: "passed", size: 4096)
        var bytes: [UInt8] = []
        try pair.client.send([1, 2, 3, 4], with: file.descriptor, within: OperationLimits())

        #expect(throws: TransportError.unexpectedDescriptors(peer: pair.server.peer)) {
            try pair.server.receive(4, into: &bytes, within: OperationLimits())
        }
    }

    @Test func descriptorsOverTCPAreRefused() throws {
        let pair = try ChannelPair(.tcp(host: "127.0.0.1", port: 0))
        let file = try MemoryFile(name: "passed", size: 4096)

        #expect(throws: TransportError.descriptorsUnsupported(peer: pair.client.peer)) {
            try pair.client.send([1], with: file.descriptor, within: OperationLimits())
        }
    }

    @Test(arguments: ChannelPair.urls)
    func silentPeerIsNoticed(url: MigrationURL) throws {
        let pair = try ChannelPair(url)
        var bytes: [UInt8] = []

        #expect(throws: TransportError.silent(peer: pair.server.peer, seconds: 1)) {
            try pair.server.receive(
                1, into: &bytes, within: OperationLimits(idleSeconds: 1))
        }
    }

    @Test(arguments: ChannelPair.urls)
    func peerThatReadsNothingIsNoticedByTheSender(url: MigrationURL) throws {
        let pair = try ChannelPair(url)
        let memory = try TestMemory(bytes: 64 << 20)

        #expect(throws: TransportError.silent(peer: pair.client.peer, seconds: 1)) {
            try pair.client.send(
                [], [memory.segment], within: OperationLimits(idleSeconds: 1))
        }
    }

    @Test func deadlineEndsAnOperationThatStillMoves() throws {
        let pair = try ChannelPair(.tcp(host: "127.0.0.1", port: 0))
        var bytes: [UInt8] = []

        #expect(throws: TransportError.deadlinePassed(peer: pair.server.peer)) {
            try pair.server.receive(
                1, into: &bytes, within: OperationLimits(deadline: .after(milliseconds: 20)))
        }
    }

    @Test(arguments: ChannelPair.urls)
    func cancellationFromAnotherThreadEndsAWait(url: MigrationURL) throws {
        let pair = try ChannelPair(url)
        let cancellation = try Cancellation(graceNanoseconds: 0)
        let other = try WorkerThread(name: "other") { _ in cancellation.request("enough") }
        var bytes: [UInt8] = []

        #expect(throws: TransportError.cancelled(reason: "enough")) {
            try pair.server.receive(
                1, into: &bytes, within: OperationLimits(cancellation: cancellation))
        }
        other.join()
    }

    @Test func operationUnderWayMayFinishWithinTheGrace() throws {
        let pair = try ChannelPair(.tcp(host: "127.0.0.1", port: 0))
        let cancellation = try Cancellation(graceNanoseconds: 60_000_000_000)
        cancellation.request("enough")
        var bytes: [UInt8] = []
        try pair.client.send([1], within: OperationLimits())

        try pair.server.receive(
            1, into: &bytes, within: OperationLimits(cancellation: cancellation))

        #expect(bytes == [1])
    }

    @Test(arguments: ChannelPair.urls)
    func endBetweenMessagesAndInsideOneAreToldApart(url: MigrationURL) throws {
        let pair = try ChannelPair(url)
        var bytes: [UInt8] = []
        try pair.client.send([1, 2, 3], within: OperationLimits())
        pair.client.close(.abrupt)

        // A reset may overtake what was sent; then the first receive is the one that fails.
        let error = #expect(throws: TransportError.self) {
            try pair.server.receive(4, into: &bytes, within: OperationLimits())
        }
        #expect(error == .truncated(peer: pair.server.peer))
    }

    @Test(arguments: ChannelPair.urls)
    func orderlyEndComesAfterWhatWasSent(url: MigrationURL) throws {
        let pair = try ChannelPair(url)
        let closing = try WorkerThread(name: "closing") { _ in
            try? pair.client.send([1, 2], within: OperationLimits())
            pair.client.close(.orderly)
        }
        var bytes: [UInt8] = []

        try pair.server.receive(2, into: &bytes, within: OperationLimits())
        #expect(throws: TransportError.closed(peer: pair.server.peer)) {
            try pair.server.receive(1, into: &bytes, within: OperationLimits())
        }
        pair.server.close(.abrupt)
        closing.join()
    }

    @Test(arguments: ChannelPair.urls)
    func answerBeforeTheEndOfAMessageStopsTheSender(url: MigrationURL) throws {
        let pair = try ChannelPair(url)
        let memory = try TestMemory(bytes: 64 << 20)
        try pair.server.send([0xEE], within: OperationLimits())
        var answer: [UInt8] = []

        #expect(throws: TransportError.answeredEarly(peer: pair.client.peer)) {
            try pair.client.send([], [memory.segment], within: OperationLimits())
        }
        try pair.client.receive(1, into: &answer, within: OperationLimits())
        #expect(answer == [0xEE])
    }

    @Test func livingPeerProcessIsKnownOverUNIXSocketsOnly() throws {
        let local = try ChannelPair(.unix(path: temporaryPath("alive")))
        let remote = try ChannelPair(.tcp(host: "127.0.0.1", port: 0))

        #expect(local.client.peerHasEnded == false)
        #expect(remote.client.peerHasEnded == nil)
    }
}
