import Harness
import LinuxSystem
import Testing
import Transport

@testable import TransportTLS

@Suite struct TLSChannelTests {
    @Test func bytesArriveExactlyAndInOrder() throws {
        let pair = try TLSPair()
        var received: [UInt8] = [9, 9, 9, 9, 9]

        try pair.client.send([1, 2, 3], within: OperationLimits())
        try pair.client.send([4, 5], within: OperationLimits())
        try pair.server.receive(4, into: &received, within: OperationLimits())
        #expect(received == [1, 2, 3, 4])
        try pair.server.receive(1, into: &received, within: OperationLimits())
        #expect(received == [5])
        try pair.server.send([6], within: OperationLimits())
        try pair.client.receive(1, into: &received, within: OperationLimits())
        #expect(received == [6])
        #expect(pair.client.isProtected && pair.server.isProtected)
    }

    @Test func emptyMessagesAreNothing() throws {
        let pair = try TLSPair()
        var received: [UInt8] = []

        try pair.client.send([], within: OperationLimits())
        try pair.client.send([7], within: OperationLimits())
        try pair.server.receive(0, into: &received, within: OperationLimits())
        try pair.server.receive(into: [], within: OperationLimits())
        try pair.server.receive(1, into: &received, within: OperationLimits())

        #expect(received == [7])
    }

    @Test func memoryMovesWithoutLossWhateverTheSegments() throws {
        let pair = try TLSPair()
        let bytes = 24 << 20
        let from = try TestMemory(bytes: bytes)
        let to = try TestMemory(bytes: bytes)
        for index in stride(from: 0, to: bytes, by: 509) { from[index] = UInt8(index % 251) }
        var pieces = stride(from: 0, to: bytes, by: 8209).compactMap { start in
            from.segment.part(offset: start, length: min(8209, bytes - start))
        }
        pieces.insert(contentsOf: [try #require(from.segment.part(offset: 0, length: 0))], at: 7)
        let content = pieces
        let head = (0..<200_000).map { UInt8($0 % 253) }
        let sender = try WorkerThread(name: "sender") { _ in
            try? pair.client.send(head, content, within: OperationLimits())
        }
        var received: [UInt8] = []

        try pair.server.receive(head.count, into: &received, within: OperationLimits())
        try pair.server.receive(into: [to.segment], within: OperationLimits())
        sender.join()

        #expect(received == head)
        #expect(stride(from: 0, to: bytes, by: 509).allSatisfy { to[$0] == UInt8($0 % 251) })
    }

    /// As much as fits into the sockets' buffers: whoever has to wait for room looks for answers.
    @Test func oneThreadSendsWhileAnotherReceives() throws {
        let pair = try TLSPair()
        let rounds = 400
        let message = (0..<1000).map { UInt8($0 % 241) }
        let threads = try [pair.client, pair.server].flatMap { channel in
            [
                try WorkerThread(name: "sender") { _ in
                    for _ in 0..<rounds {
                        do {
                            try channel.send(message, within: OperationLimits())
                        } catch {
                            Issue.record(error)
                        }
                    }
                },
                try WorkerThread(name: "receiver") { _ in
                    var bytes: [UInt8] = []
                    for _ in 0..<rounds {
                        do {
                            try channel.receive(1000, into: &bytes, within: OperationLimits())
                        } catch {
                            Issue.record(error)
                        }
                        #expect(bytes == message)
                    }
                },
            ]
        }
        for thread in threads { thread.join() }
    }

    @Test func buffersDoNotGrowWithWhatIsSent() throws {
        let folder = try Certificates.good.get()
        let ends = try TLSEnds(server: folder, client: folder)
        let listener = try ends.server.listen(on: TLSEnds.anyPort)
        defer { listener.close() }
        guard case .tcp(_, let port) = listener.url else { return }
        let socket = try StreamSocket.connect(
            to: SocketAddress.resolve("127.0.0.1:\(port)"), deadline: .after(milliseconds: 120_000))
        let client = try TLSChannel(
            socket, peer: "server",
            credentials: try TLSCredentials(folder: folder.path, role: .client), serverName: nil)
        try client.handshake(within: OperationLimits()) { _ in .passed }
        let server = try listener.accept(within: OperationLimits())
        let memory = try TestMemory(bytes: 64 << 20)
        let segment = memory.segment
        let sender = try WorkerThread(name: "sender") { _ in
            try? server.send([], [segment], within: OperationLimits())
        }

        try client.receive(into: [segment], within: OperationLimits())
        sender.join()

        #expect(client.bufferedCapacity <= 4 * TLSEngine.partSize)
    }

    @Test func descriptorsAreRefused() throws {
        let pair = try TLSPair()
        let file = try MemoryFile(name: "passed", size: 4096)

        #expect(!pair.client.passesDescriptors)
        #expect(throws: TransportError.descriptorsUnsupported(peer: pair.client.peer)) {
            try pair.client.send([1], with: file.descriptor, within: OperationLimits())
        }
    }

    @Test func silentPeerIsNoticed() throws {
        let pair = try TLSPair()
        var bytes: [UInt8] = []

        #expect(throws: TransportError.silent(peer: pair.server.peer, seconds: 1)) {
            try pair.server.receive(1, into: &bytes, within: OperationLimits(idleSeconds: 1))
        }
    }

    @Test func peerThatReadsNothingIsNoticedByTheSender() throws {
        let pair = try TLSPair()
        let memory = try TestMemory(bytes: 64 << 20)

        #expect(throws: TransportError.silent(peer: pair.client.peer, seconds: 1)) {
            try pair.client.send([], [memory.segment], within: OperationLimits(idleSeconds: 1))
        }
    }

    @Test func deadlineAndCancellationEndAWait() throws {
        let pair = try TLSPair()
        let cancellation = try Cancellation(graceNanoseconds: 0)
        let other = try WorkerThread(name: "other") { _ in cancellation.request("enough") }
        var bytes: [UInt8] = []

        #expect(throws: TransportError.deadlinePassed(peer: pair.server.peer)) {
            try pair.server.receive(
                1, into: &bytes, within: OperationLimits(deadline: .after(milliseconds: 20)))
        }
        #expect(throws: TransportError.cancelled(reason: "enough")) {
            try pair.server.receive(
                1, into: &bytes, within: OperationLimits(cancellation: cancellation))
        }
        other.join()
    }

    @Test func orderlyEndComesAfterWhatWasSent() throws {
        let pair = try TLSPair()
        let closing = try WorkerThread(name: "closing") { _ in
            try? pair.client.send([1, 2], within: OperationLimits())
            pair.client.close(.orderly)
        }
        var bytes: [UInt8] = []

        try pair.server.receive(2, into: &bytes, within: OperationLimits())
        #expect(bytes == [1, 2])
        #expect(throws: TransportError.closed(peer: pair.server.peer)) {
            try pair.server.receive(1, into: &bytes, within: OperationLimits())
        }
        pair.server.close(.abrupt)
        closing.join()
    }

    @Test func orderlyEndInsideAMessageIsACut() throws {
        let pair = try TLSPair()
        let closing = try WorkerThread(name: "closing") { _ in
            try? pair.client.send([1, 2], within: OperationLimits())
            pair.client.close(.orderly)
        }
        var bytes: [UInt8] = []

        #expect(throws: TransportError.truncated(peer: pair.server.peer)) {
            try pair.server.receive(3, into: &bytes, within: OperationLimits())
        }
        pair.server.close(.abrupt)
        closing.join()
    }

    /// RFC 8446 section 6.1: whoever can cut the connection must not be able to fake its end.
    @Test func endWithoutCloseNotifyIsACutAlsoBetweenMessages() throws {
        let folder = try Certificates.good.get()
        let ends = try TLSEnds(server: folder, client: folder)
        let listener = try ends.server.listen(on: TLSEnds.anyPort)
        defer { listener.close() }
        let proxy = try CuttingProxy(to: listener.url)
        let client = try ends.client.connect(to: proxy.url, within: OperationLimits())
        let server = try listener.accept(within: OperationLimits())
        var bytes: [UInt8] = []
        try client.send([1, 2], within: OperationLimits())
        try server.receive(2, into: &bytes, within: OperationLimits())

        proxy.cutOrderly()

        #expect(throws: TransportError.truncated(peer: server.peer)) {
            try server.receive(1, into: &bytes, within: OperationLimits())
        }
    }

    /// Bytes arrive, and a record never does.
    @Test func recordThatDripsIsNoticed() throws {
        let folder = try Certificates.good.get()
        let ends = try TLSEnds(server: folder, client: folder)
        let listener = try ends.server.listen(on: TLSEnds.anyPort)
        defer { listener.close() }
        let proxy = try CuttingProxy(to: listener.url)
        let client = try ends.client.connect(to: proxy.url, within: OperationLimits())
        let server = try listener.accept(within: OperationLimits())
        var bytes: [UInt8] = []
        try client.send([1, 2], within: OperationLimits())
        try server.receive(2, into: &bytes, within: OperationLimits())

        try proxy.drip()
        try server.send([UInt8](repeating: 1, count: 16_000), within: OperationLimits())

        #expect(throws: TransportError.tooSlow(peer: client.peer)) {
            try client.receive(1, into: &bytes, within: OperationLimits(idleSeconds: 1))
        }
        proxy.cutOrderly()
    }

    @Test func answerBeforeTheEndOfAMessageStopsTheSender() throws {
        let pair = try TLSPair()
        let memory = try TestMemory(bytes: 64 << 20)
        try pair.server.send([0xEE], within: OperationLimits())
        var answer: [UInt8] = []

        #expect(throws: TransportError.answeredEarly(peer: pair.client.peer)) {
            try pair.client.send([], [memory.segment], within: OperationLimits())
        }
        try pair.client.receive(1, into: &answer, within: OperationLimits())
        #expect(answer == [0xEE])
    }

    /// The server's session tickets come unasked, and are for the library.
    @Test func whatTheLibrarySaysIsNoAnswer() throws {
        let pair = try TLSPair()
        let from = try TestMemory(bytes: 64 << 20)
        let to = try TestMemory(bytes: 64 << 20)
        let target = to.segment
        let receiver = try WorkerThread(name: "receiver") { _ in
            // The sender has to wait for room before anything is taken.
            MonotonicInstant.after(milliseconds: 200).sleep()
            try? pair.server.receive(into: [target], within: OperationLimits())
        }

        try pair.client.send([], [from.segment], within: OperationLimits())
        receiver.join()
    }
}
