import LinuxSystem
import Machine
import StateCoding
import Synchronization
import Testing

/// The device's end of a line: takes everything, unless it is full.
private final class Device: Sendable {
    let received = Mutex<[UInt8]>([])
    let isFull = Mutex(false)

    var receiver: SerialLine.Receiver {
        SerialLine.Receiver(
            receive: { [weak self] bytes in
                self?.received.withLock { $0 += bytes }
                return self?.hasRoom ?? false
            },
            hasRoom: { [weak self] in self?.hasRoom ?? false })
    }

    private var hasRoom: Bool { isFull.withLock { !$0 } }
}

/// A user of a line: one end of a stream.
private struct User: ~Copyable {
    let descriptor: OwnedDescriptor

    init(socket path: String) throws {
        descriptor = try StreamSocket.connect(path: path).descriptor.duplicate()
    }

    init(terminal path: String) throws {
        descriptor = try OwnedDescriptor(opening: path, [.write])
    }

    /// Reads until so many bytes are here, or the end.
    func read(_ count: Int) throws -> String {
        var bytes: [UInt8] = []
        while bytes.count < count {
            try descriptor.wait(for: .readable, deadline: .after(milliseconds: 120_000))
            let more = try descriptor.read(maximum: count - bytes.count)
            if more.isEmpty { break }
            bytes += more
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

@Suite struct SerialLineTests {
    private let loop: EventLoop
    private let folder: TemporaryFolder
    private let device = Device()

    init() throws {
        loop = try EventLoop(name: "test")
        folder = try TemporaryFolder(prefix: "martlet-line")
        BrokenPipeSignal.ignore()
    }

    private var path: String { "\(folder.path)/serial.sock" }

    private func makeSocket(
        readerPatience: Int = SerialLine.usualReaderPatience
    ) throws -> SerialLine {
        let line = SerialLine(
            to: .socket(path: path), loop: loop, receiver: device.receiver,
            readerPatience: readerPatience)
        try line.bind()
        return line
    }

    private func send(_ text: String, through line: SerialLine) {
        for byte in text.utf8 { line.append(byte) }
    }

    private func expectInput(_ text: String) {
        #expect(eventually { device.received.withLock { $0 == Array(text.utf8) } })
    }

    @Test func socketIsNotThereBeforeItIsTaken() throws {
        let line = try makeSocket()
        #expect(throws: SystemError.self) { _ = try StreamSocket.connect(path: path) }
        try line.takeOver()
        _ = try StreamSocket.connect(path: path)
        line.unbind()
        #expect(throws: SystemError.self) { _ = try StreamSocket.connect(path: path) }
    }

    @Test func socketCarriesBothDirections() throws {
        let line = try makeSocket()
        try line.takeOver()
        line.resume()
        let user = try User(socket: path)
        try user.descriptor.writeAll(Array("to the guest".utf8))
        expectInput("to the guest")
        send("from the guest\n", through: line)
        #expect(try user.read(15) == "from the guest\n")
        line.unbind()
    }

    @Test func whoComesLateReadsTheLatest() throws {
        let line = try makeSocket()
        try line.takeOver()
        let lines = (0..<20_000).map { "line \(100_000 + $0)\n" }
        for text in lines { send(text, through: line) }
        #expect(line.droppedBytes > 0)
        #expect(line.droppedBytes < lines.count * 12)
        let kept = lines.count * 12 - Int(line.droppedBytes)
        let user = try User(socket: path)
        let text = try user.read(kept)
        #expect(text.hasSuffix(lines.suffix(1000).joined()))
        line.unbind()
    }

    @Test func newUserReplacesTheOneBefore() throws {
        let line = try makeSocket()
        try line.takeOver()
        line.resume()
        let first = try User(socket: path)
        send("1\n", through: line)
        #expect(try first.read(2) == "1\n")
        let second = try User(socket: path)
        #expect(try first.read(1) == "")
        send("2\n", through: line)
        #expect(try second.read(2) == "2\n")
        try second.descriptor.writeAll(Array("in".utf8))
        expectInput("in")
        line.unbind()
    }

    @Test func outputWaitsForTheNextUser() throws {
        let line = try makeSocket()
        try line.takeOver()
        line.resume()
        do {
            let first = try User(socket: path)
            send("1\n", through: line)
            #expect(try first.read(2) == "1\n")
        }
        // The first is gone: of what is sent now nothing is lost.
        send("2\n3\n", through: line)
        let second = try User(socket: path)
        #expect(try second.read(4) == "2\n3\n")
        #expect(line.droppedBytes == 0)
        line.unbind()
    }

    @Test func userWithoutInputStillReads() throws {
        let line = try makeSocket()
        try line.takeOver()
        line.resume()
        let user = try User(socket: path)
        try StreamSocket(adopting: user.descriptor.duplicate()).shutdown(.sending)
        send("still here\n", through: line)
        #expect(try user.read(11) == "still here\n")
        line.unbind()
    }

    @Test func pathGoesFromOneProcessToTheNextAndBack() throws {
        let source = try makeSocket()
        try source.takeOver()
        source.resume()
        let user = try User(socket: path)
        send("before\n", through: source)
        #expect(try user.read(7) == "before\n")

        let next = Device()
        let destination = SerialLine(to: .socket(path: path), loop: loop, receiver: next.receiver)
        try destination.bind()
        #expect(throws: SystemError.self) { try destination.takeOver() }

        source.quiesce()
        source.release()
        #expect(try user.read(1) == "")
        try destination.takeOver()
        destination.resume()
        let later = try User(socket: path)
        send("after\n", through: destination)
        #expect(try later.read(6) == "after\n")

        // The move fails: the source has its path again.
        destination.unbind()
        try source.reclaim()
        source.resume()
        let last = try User(socket: path)
        send("again\n", through: source)
        #expect(try last.read(6) == "again\n")
        try last.descriptor.writeAll(Array("x".utf8))
        expectInput("x")
        source.unbind()
    }

    @Test(.timeLimit(.minutes(5))) func stuckUserCostsNoMoreThanTheBuffer() throws {
        let line = try makeSocket()
        try line.takeOver()
        let user = try User(socket: path)
        send("\n", through: line)
        #expect(try user.read(1) == "\n")
        let text = String(repeating: "x", count: 99) + "\n"
        // A socket holds some hundred KiB; the guest must get through in any case.
        for _ in 0..<10_000 { send(text, through: line) }
        #expect(line.droppedBytes > 0)
        // The loop still serves others.
        let other = SerialLine(
            to: .socket(path: path + "2"), loop: loop, receiver: device.receiver)
        try other.bind()
        try other.takeOver()
        let otherUser = try User(socket: path + "2")
        send("ok\n", through: other)
        #expect(try otherUser.read(3) == "ok\n")
        other.unbind()
        line.unbind()
        _ = user
    }

    /// A thread of a device waits for a slow reader.
    @Test(.timeLimit(.minutes(5))) func bulkIsNotLostWhileSomebodyReads() throws {
        // This reader reads when the tests that run beside it let it.
        let line = try makeSocket(readerPatience: 120_000)
        try line.takeOver()
        let user = try beginReading(line)
        let duplicate = SharedDescriptor(try user.descriptor.duplicate())
        let reader = try WorkerThread(name: "reader") { _ in
            var count = 0
            while count < Self.bulk,
                let bytes = try? duplicate.descriptor.read(maximum: 1 << 16), !bytes.isEmpty
            {
                count += bytes.count
            }
        }
        writeBulk(through: line)
        reader.join()
        #expect(line.droppedBytes == 0)
        line.unbind()
    }

    /// It does not wait for a stuck one.
    @Test(.timeLimit(.minutes(5))) func bulkIsLostWhenNobodyReads() throws {
        let line = try makeSocket()
        try line.takeOver()
        let user = try beginReading(line)
        writeBulk(through: line)
        #expect(line.droppedBytes > Self.bulk / 2)
        line.unbind()
        withExtendedLifetime(user) {}
    }

    private static let bulk = 4 << 20

    /// A user to whom the line writes from now on: what comes before it is accepted may be dropped.
    private func beginReading(_ line: SerialLine) throws -> User {
        let user = try User(socket: path)
        send("\n", through: line)
        #expect(try user.read(1) == "\n")
        return user
    }

    private func writeBulk(through line: SerialLine) {
        let piece = [UInt8](repeating: 7, count: 4096)
        for _ in 0..<(Self.bulk / piece.count) { line.write(piece) { false } }
    }

    @Test func inputWaitsUntilTheDeviceHasRoom() throws {
        device.isFull.withLock { $0 = true }
        let line = try makeSocket()
        try line.takeOver()
        line.resume()
        let user = try User(socket: path)
        try user.descriptor.writeAll([1])
        // Output shows that the loop has accepted the user.
        send("\n", through: line)
        #expect(try user.read(1) == "\n")
        #expect(device.received.withLock { $0.isEmpty })
        device.isFull.withLock { $0 = false }
        line.continueInput()
        #expect(eventually { device.received.withLock { $0 == [1] } })
        line.unbind()
    }

    @Test func terminalIsRawAndTakesUsersAsTheyCome() throws {
        let line = SerialLine(to: .terminal, loop: loop, receiver: device.receiver)
        try line.bind()
        line.resume()
        let path = try #require(line.terminalPath)
        for _ in 0..<2 {
            let user = try User(terminal: path)
            send("login\r\n: ", through: line)
            #expect(try user.read(9) == "login\r\n: ")
        }
        let user = try User(terminal: path)
        // Neither echoed nor kept until the end of a line, and Ctrl-C is a byte.
        try user.descriptor.writeAll([0x61, 0x03, 0x0d])
        #expect(eventually { device.received.withLock { $0 == [0x61, 0x03, 0x0d] } })
        send("end", through: line)
        #expect(try user.read(3) == "end")
        line.unbind()
    }

    @Test(.timeLimit(.minutes(5))) func terminalThatNobodyReadsDropsOutput() throws {
        let line = SerialLine(to: .terminal, loop: loop, receiver: device.receiver)
        try line.bind()
        let text = String(repeating: "x", count: 99) + "\n"
        for _ in 0..<4_000 { send(text, through: line) }
        #expect(line.droppedBytes > 0)
        line.unbind()
    }

    @Test func pathThatIsNoSocketIsRefusedByName() throws {
        _ = try OwnedDescriptor(opening: path, [.write, .create])
        let line = try makeSocket()
        let error = try #require(throws: SystemError.self) { try line.takeOver() }
        #expect(error.description.contains(path))
        line.unbind()
    }
}
