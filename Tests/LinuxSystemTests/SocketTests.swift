import Glibc
import LinuxSystem
import Testing

@Suite struct SocketTests {
    @Test func bytesArriveInOrderAndTheEndIsSeen() throws {
        let pair = try StreamSocket.pair(name: "bytes")
        var received = [UInt8](repeating: 0, count: 5)
        var span = received.mutableSpan

        try pair.first.sendAll([1, 2, 3].span)
        pair.first.shutdown(.sending)
        let count = try pair.second.receiveAll(into: &span)

        #expect(count == 3)
        #expect(received == [1, 2, 3, 0, 0])
    }

    @Test func receivingEndsAtTheDeadline() throws {
        let pair = try StreamSocket.pair(name: "silence")
        var received: [UInt8] = [0]
        var span = received.mutableSpan

        let errno = failure {
            _ = try pair.second.receive(into: &span, deadline: .after(milliseconds: 1))
        }
        #expect(errno == .timedOut)
    }

    @Test func sendingToAFullSocketEndsAtTheDeadline() throws {
        let pair = try StreamSocket.pair(name: "full")
        let bytes = [UInt8](repeating: 0, count: 1 << 22)

        let errno = failure {
            try pair.first.sendAll(bytes.span, deadline: .after(milliseconds: 1))
        }
        #expect(errno == .timedOut)
    }

    @Test func sendingToAClosedSocketFailsWithoutASignal() throws {
        let pair = try StreamSocket.pair(name: "closed")
        pair.second.shutdown()

        #expect(failure { try pair.first.sendAll([1].span) } == .brokenPipe)
    }

    @Test func descriptorsArriveWithTheFirstByte() throws {
        let pair = try StreamSocket.pair(name: "descriptors")
        let event = try EventDescriptor(name: "passed")
        var bytes: [UInt8] = [0]
        var span = bytes.mutableSpan
        var descriptors = ReceivedDescriptors()

        try pair.first.sendAll([7].span, descriptors: [event.descriptor.rawValue])
        let count = try pair.second.receive(into: &span, descriptors: &descriptors)
        guard let passed = descriptors.takeFirst(name: "received") else {
            Issue.record("no descriptor arrived")
            return
        }
        let flags = fcntl(passed.rawValue, F_GETFD)

        #expect(count == 1)
        #expect(flags == FD_CLOEXEC)
        #expect(descriptors.count == 0)
    }

    @Test func asManyDescriptorsAsTheKernelTakesArrive() throws {
        let pair = try StreamSocket.pair(name: "many")
        let event = try EventDescriptor(name: "passed")
        let many = [Int32](
            repeating: event.descriptor.rawValue, count: StreamSocket.maximumDescriptorCount)
        var bytes: [UInt8] = [0]
        var span = bytes.mutableSpan
        var descriptors = ReceivedDescriptors()

        try pair.first.sendAll([7].span, descriptors: many)
        _ = try pair.second.receive(into: &span, descriptors: &descriptors)

        #expect(descriptors.count == 253)
    }

    @Test func surplusDescriptorsAreRefused() throws {
        let pair = try StreamSocket.pair(name: "surplus")
        let event = try EventDescriptor(name: "passed")
        let two = [event.descriptor.rawValue, event.descriptor.rawValue]
        var bytes: [UInt8] = [0]
        var span = bytes.mutableSpan
        var descriptors = ReceivedDescriptors(limit: 1)

        try pair.first.sendAll([7].span, descriptors: two)
        let errno = failure {
            _ = try pair.second.receive(into: &span, descriptors: &descriptors)
        }

        #expect(errno == .messageTooLong)
        #expect(descriptors.count == 0)
    }

    @Test func descriptorsThatNobodyAskedForAreRefused() throws {
        let pair = try StreamSocket.pair(name: "unasked")
        let event = try EventDescriptor(name: "passed")
        var bytes: [UInt8] = [0]
        var span = bytes.mutableSpan

        try pair.first.sendAll([7].span, descriptors: [event.descriptor.rawValue])

        #expect(failure { _ = try pair.second.receive(into: &span) } == .messageTooLong)
    }

    @Test func tcpConnectionIsKnownAsLocal() throws {
        let listener = try StreamListener(
            addresses: SocketAddress.resolve("127.0.0.1:0", listening: true))
        let client = try StreamSocket.connect(
            to: [listener.address], deadline: .after(milliseconds: 120_000))
        let server = try listener.accept(deadline: .after(milliseconds: 120_000))

        try client.sendAll([9].span)
        var bytes: [UInt8] = [0]
        var span = bytes.mutableSpan
        _ = try server.receive(into: &span)

        #expect(bytes == [9])
        #expect(try server.peer.isOnThisMachine)
    }

    @Test func tcpConnectionsNoticeALostPeerAndDoNotDelay() throws {
        let listener = try StreamListener(
            addresses: SocketAddress.resolve("127.0.0.1:0", listening: true))
        let client = try StreamSocket.connect(to: [listener.address])
        let server = try listener.accept(deadline: .after(milliseconds: 120_000))
        let tcp = Int32(IPPROTO_TCP)

        for number in [client.descriptor.rawValue, server.descriptor.rawValue] {
            #expect(option(number, tcp, TCP_NODELAY) == 1)
            #expect(option(number, SOL_SOCKET, SO_KEEPALIVE) == 1)
            #expect(option(number, tcp, TCP_KEEPIDLE) == 60)
            #expect(option(number, tcp, TCP_KEEPINTVL) == 15)
            #expect(option(number, tcp, TCP_KEEPCNT) == 4)
            #expect(option(number, tcp, TCP_USER_TIMEOUT) == 120_000)
        }
    }

    private func option(_ number: Int32, _ level: Int32, _ name: Int32) -> Int32 {
        var value: Int32 = -1
        var length = socklen_t(4)
        unsafe getsockopt(number, level, name, &value, &length)
        return value
    }

    @Test func connectingToNobodyIsRefusedByName() throws {
        let closed = try StreamListener(
            addresses: SocketAddress.resolve("127.0.0.1:0", listening: true)
        ).address

        let error = #expect(throws: SystemError.self) {
            _ = try StreamSocket.connect(to: [closed])
        }
        #expect(error?.errno == .connectionRefused)
        #expect(error?.object == "\(closed)")
    }

    @Test(arguments: [
        ("127.0.0.1:80", true), ("127.9.9.9:80", true), ("[::1]:80", true),
        ("[::ffff:127.0.0.1]:80", true), ("10.0.0.1:80", false), ("[::2]:80", false),
        ("[::ffff:10.0.0.1]:80", false),
    ])
    func loopbackIsRecognized(text: String, isLoopback: Bool) throws {
        let address = try #require(SocketAddress.resolve(text).first)

        #expect(address.isLoopback == isLoopback)
        #expect(address.port == 80)
    }

    @Test(arguments: [
        "", ":", "host", "host:", "host:65536", "host:-1", "host:+1", "::1:80", "[::1]", "[h]:1",
        ":80", "[::1:80",
    ])
    func addressOfAnotherFormIsRefused(text: String) {
        #expect(failure { _ = try SocketAddress.resolve(text) } == .invalidArgument)
    }

    @Test func addressIsPrintedAsItIsWritten() throws {
        #expect(try SocketAddress.resolve("[::1]:8080").first?.description == "[::1]:8080")
        #expect(try SocketAddress.resolve("127.0.0.1:1").first?.description == "127.0.0.1:1")
    }

    private func failure(_ body: () throws -> Void) -> Errno? {
        do {
            try body()
            return nil
        } catch {
            return (error as? SystemError)?.errno
        }
    }
}
