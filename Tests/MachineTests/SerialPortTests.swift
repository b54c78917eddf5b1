import LinuxSystem
import Machine
import StateCoding
import Testing

/// The other end of a serial line.
private final class SerialPeer {
    private var sockets: StreamSocketPair?

    init() throws {
        sockets = try StreamSocket.pair(name: "serial line")
    }

    /// The port's end.
    func descriptor() throws -> OwnedDescriptor {
        guard let duplicate = try sockets?.first.descriptor.duplicate() else {
            throw SystemError("duplicate", "serial line", .noSuchFile)
        }
        return duplicate
    }

    func send(_ bytes: [UInt8]) throws {
        try sockets?.second.descriptor.writeAll(bytes)
    }

    func close() {
        sockets = nil
    }
}

/// An event that a handler and its test both hold.
private final class SharedEvent: Sendable {
    let event: EventDescriptor

    init(_ event: consuming EventDescriptor) {
        self.event = event
    }
}

@Suite struct SerialPortTests {
    private let loop: EventLoop
    private let router = InterruptRouter(chip: RecordingChip())

    init() throws {
        loop = try EventLoop(name: "test")
        BrokenPipeSignal.ignore()
    }

    private func makePort() throws -> SerialPort {
        SerialPort(interrupt: try router.allocateLine(SerialPort.interruptLine))
    }

    private func send(_ text: String, through port: SerialPort) {
        for byte in text.utf8 { port.write(offset: 0, width: 1, value: UInt64(byte)) }
    }

    @Test func linesAreWrittenWithoutBeingAskedFor() throws {
        let port = try makePort()
        let file = try MemoryFile(name: "output", size: 0)
        try port.bind(output: file.descriptor.duplicate(), loop: loop)
        send("one\ntwo\n", through: port)
        try #require(
            try eventually {
                try file.descriptor.read(maximum: 100, at: 0) == Array("one\ntwo\n".utf8)
            })
        port.unbind()
    }

    @Test func lineWithoutEndIsWrittenSoon() throws {
        let port = try makePort()
        let file = try MemoryFile(name: "output", size: 0)
        try port.bind(output: file.descriptor.duplicate(), loop: loop)
        send("login: ", through: port)
        try #require(
            try eventually {
                try file.descriptor.read(maximum: 100, at: 0) == Array("login: ".utf8)
            })
        port.unbind()
    }

    @Test func flushWritesAtOnce() throws {
        let port = try makePort()
        let file = try MemoryFile(name: "output", size: 0)
        try port.bind(output: file.descriptor.duplicate(), loop: loop)
        send("abc", through: port)
        port.quiesce()
        #expect(try file.descriptor.read(maximum: 100, at: 0) == Array("abc".utf8))
        port.unbind()
    }

    @Test(.timeLimit(.minutes(5))) func stuckReaderCostsNoMoreThanTheBuffer() throws {
        let port = try makePort()
        let pair = try SerialPeer()
        try port.bind(output: pair.descriptor(), loop: loop)
        // A socket holds some hundred KiB; the guest must get through in any case.
        for _ in 0..<10_000 { send(String(repeating: "x", count: 99) + "\n", through: port) }
        #expect(port.droppedBytes > 0)
        port.quiesce()
        port.unbind()
        _ = pair
    }

    @Test func readerThatIsGoneIsNotWaitedFor() throws {
        let port = try makePort()
        let pair = try SerialPeer()
        try port.bind(output: pair.descriptor(), loop: loop)
        pair.close()
        send("lost\n", through: port)
        try #require(eventually { port.droppedBytes == 5 })
        port.unbind()
    }

    @Test func inputReachesTheGuestInOrderAndWithoutLoss() throws {
        let port = try makePort()
        let pair = try SerialPeer()
        port.bind(input: try pair.descriptor(), loop: loop)
        port.resume()
        let text = (0..<20_000).map { UInt8(truncatingIfNeeded: $0) }
        var received: [UInt8] = []
        try pair.send(text)
        try #require(
            eventually {
                while port.read(offset: 5, width: 1) & 1 == 1 {
                    received.append(UInt8(truncatingIfNeeded: port.read(offset: 0, width: 1)))
                }
                return received.count == text.count
            })
        #expect(received == text)
        port.unbind()
    }

    @Test func unreadInputTravelsWithTheState() throws {
        let port = try makePort()
        let pair = try SerialPeer()
        port.bind(input: try pair.descriptor(), loop: loop)
        port.resume()
        try pair.send(Array("hello".utf8))
        try #require(eventually { port.read(offset: 5, width: 1) & 1 == 1 })
        #expect(port.read(offset: 0, width: 1) == UInt64(UInt8(ascii: "h")))
        port.unbind()
        var writer = StateWriter()
        port.save(into: &writer)

        let next = SerialPort(
            interrupt: try InterruptRouter(chip: RecordingChip()).allocateLine(4))
        var reader = StateReader(writer.bytes)
        try next.load(from: &reader)
        var rest: [UInt8] = []
        while next.read(offset: 5, width: 1) & 1 == 1 {
            rest.append(UInt8(truncatingIfNeeded: next.read(offset: 0, width: 1)))
        }
        #expect(rest == Array("ello".utf8))
    }

    @Test func inputWaitsWhileThePortIsQuiet() throws {
        let port = try makePort()
        let pair = try SerialPeer()
        port.bind(input: try pair.descriptor(), loop: loop)
        try pair.send([1])
        // The loop has handled everything that is ready when a later event has come through.
        try waitForLoop()
        #expect(port.read(offset: 5, width: 1) & 1 == 0)
        port.resume()
        try #require(eventually { port.read(offset: 5, width: 1) & 1 == 1 })
        #expect(port.read(offset: 0, width: 1) == 1)
        port.quiesce()
        try pair.send([2])
        try waitForLoop()
        #expect(port.read(offset: 5, width: 1) & 1 == 0)
        port.unbind()
    }

    private func waitForLoop() throws {
        let bell = try EventDescriptor(name: "test")
        let answer = SharedEvent(try EventDescriptor(name: "test"))
        let watch = try loop.watch(bell.descriptor, for: .readable, edgeTriggered: true) { _ in
            answer.event.signal()
        }
        bell.signal()
        try answer.event.wait(deadline: .after(milliseconds: 120_000))
        loop.unwatch(watch, of: bell.descriptor)
    }

    @Test func missingDirectoryIsNamed() throws {
        let port = try makePort()
        let error = try #require(throws: SystemError.self) {
            try port.bind(.file(path: "/nonexistent/console"), loop: loop)
        }
        #expect(error.description.contains("/nonexistent/console"))
    }
}
