import GuestMemory
import LinuxSystem
import Machine
import Testing

@testable import Virtio

@Suite struct ConsoleDeviceTests {
    private let output: TemporaryFile
    private let loop: EventLoop

    init() throws {
        output = try TemporaryFile(size: 0)
        loop = try EventLoop(name: "test")
    }

    private func makeFixture(
        output: SharedDescriptor? = nil, input: SharedDescriptor? = nil, memory: GuestRAM? = nil,
        readerPatience: Int = SerialLine.usualReaderPatience
    ) throws -> TransportFixture {
        let device = try ConsoleDevice(
            ConsoleConfiguration(identifier: "__console", output: .file(path: self.output.path)),
            loop: loop, readerPatience: readerPatience)
        let fixture = try TransportFixture(device, memory: memory)
        if output == nil, input == nil {
            try device.bind()
        } else {
            try device.bind(
                output: try output?.descriptor.duplicate(), input: try input?.descriptor.duplicate()
            )
        }
        return fixture
    }

    /// Two ends of a stream.
    private func connectedStreams() throws -> (SharedDescriptor, SharedDescriptor) {
        let pair = try StreamSocket.pair(name: "console")
        return (
            SharedDescriptor(try pair.first.descriptor.duplicate()),
            SharedDescriptor(try pair.second.descriptor.duplicate())
        )
    }

    private func text(_ ring: DriverRing, _ text: String, at address: UInt64) throws
        -> DriverRing.Buffer
    {
        let bytes = Array(text.utf8)
        try ring.memory.write(bytes, at: GuestAddress(address))
        return .readable(address, UInt32(bytes.count))
    }

    @Test func outputIsAppendedToTheFile() throws {
        let fixture = try makeFixture()
        try fixture.transport.device.resume()
        var rings = fixture.start()
        try rings[1].offer([
            try text(rings[1], "hello ", at: 0x4_0000), try text(rings[1], "guest\n", at: 0x5_0000),
        ])
        fixture.notify(1)
        _ = try fixture.waitForUsed(&rings[1], 1)
        fixture.transport.device.quiesce()
        #expect(try output.contents(12, at: 0) == Array("hello guest\n".utf8))
    }

    @Test func inputComesWhenTheDriverHasBuffers() throws {
        let (input, writer) = try connectedStreams()
        let fixture = try makeFixture(input: input)
        try fixture.transport.device.resume()
        var rings = fixture.start()
        try writer.descriptor.writeAll(Array("abc".utf8))
        try rings[0].offer([.writable(0x4_0000, 64)])
        fixture.notify(0)
        #expect(try fixture.waitForUsed(&rings[0], 1) == [.init(head: 0, written: 3)])
        #expect(try fixture.memory.read(at: GuestAddress(0x4_0000), count: 3) == Array("abc".utf8))
    }

    @Test func endOfInputIsNotAByte() throws {
        let (input, end) = try connectedStreams()
        var writer: SharedDescriptor? = end
        let fixture = try makeFixture(input: input)
        try fixture.transport.device.resume()
        var rings = fixture.start()
        try rings[0].offer([.writable(0x4_0000, 64)])
        fixture.notify(0)
        try writer?.descriptor.writeAll([65])
        _ = try fixture.waitForUsed(&rings[0], 1)
        try rings[0].offer([.writable(0x4_0000, 64)])
        writer = nil
        fixture.notify(0)
        fixture.transport.device.quiesce()
        #expect(try rings[0].takeUsed().isEmpty)
    }

    /// Input comes when the driver has no buffers; the console moves; the driver gets it there.
    @Test func inputIsNeitherLostNorRepeatedByAMove() throws {
        let (input, writer) = try connectedStreams()
        let memory = try DriverRing.memory(size: 8 << 20)
        let fixture = try makeFixture(input: input, memory: memory)
        try fixture.transport.device.resume()
        var rings = fixture.start()
        let bytes = (0..<10_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        try writer.descriptor.writeAll(bytes)
        try rings[0].offer([.writable(0x10_0000, 10)])
        fixture.notify(0)
        #expect(try fixture.waitForUsed(&rings[0], 1) == [.init(head: 0, written: 10)])
        var seen = try memory.read(at: GuestAddress(0x10_0000), count: 10)

        fixture.transport.device.quiesce()
        let next = try makeFixture(input: input, memory: memory)
        try next.load(fixture.save())
        try next.transport.device.takeOver(try fixture.transport.device.release())
        try next.transport.device.resume()
        while seen.count < bytes.count {
            try rings[0].offer([.writable(0x10_0000, 1000)])
            next.notify(0)
            let used = try next.waitForUsed(&rings[0], 1)
            seen += try memory.read(at: GuestAddress(0x10_0000), count: Int(used[0].written))
        }
        #expect(seen == bytes)
    }

    @Test func bulkOutputReachesAReaderInOrder() throws {
        let (reader, stream) = try connectedStreams()
        let memory = try DriverRing.memory(size: 8 << 20)
        // This reader reads when the tests that run beside it let it.
        let fixture = try makeFixture(output: stream, memory: memory, readerPatience: 60_000)
        try fixture.transport.device.resume()
        var rings = fixture.start()
        let length = 4 << 20
        let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 / 251) }
        try memory.write(bytes, at: GuestAddress(0x10_0000))
        try rings[1].offer([.readable(0x10_0000, UInt32(length))])
        fixture.notify(1)
        var seen: [UInt8] = []
        while seen.count < length {
            try reader.descriptor.wait(for: .readable, deadline: .after(milliseconds: 120_000))
            seen += try reader.descriptor.read(maximum: 1 << 16)
        }
        _ = try fixture.waitForUsed(&rings[1], 1)
        #expect(seen == bytes)
    }

    /// Linux waits for each of its writes without letting anything else run.
    @Test(.timeLimit(.minutes(5))) func stuckReaderDoesNotStopTheDriver() throws {
        let (reader, stream) = try connectedStreams()
        let fixture = try makeFixture(output: stream)
        try fixture.transport.device.resume()
        var rings = fixture.start()
        for _ in 0..<8 { try rings[1].offer([.readable(0x4_0000, 0x1_0000)]) }
        fixture.notify(1)
        #expect(try fixture.waitForUsed(&rings[1], 8).count == 8)
        #expect(
            fixture.transport.device.counters.first { $0.name == "dropped_bytes" }?.value ?? 0 > 0)
        fixture.transport.device.quiesce()
        _ = reader
    }
}
