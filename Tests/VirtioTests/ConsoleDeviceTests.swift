import GuestMemory
import LinuxSystem
import Machine
import Testing

@testable import Virtio

@Suite struct ConsoleDeviceTests {
    private let output: TemporaryFile

    init() throws {
        output = try TemporaryFile(size: 0)
    }

    private func makeFixture(
        _ backend: ConsoleBackend? = nil, memory: GuestRAM? = nil
    ) throws -> TransportFixture {
        let device = ConsoleDevice(
            ConsoleConfiguration(identifier: "__console", output: .file(path: output.path)))
        let fixture = try TransportFixture(device, memory: memory)
        if let backend {
            device.bind(backend)
        } else {
            try device.bind()
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
        #expect(try output.contents(12, at: 0) == Array("hello guest\n".utf8))
    }

    @Test func inputComesWhenTheDriverHasBuffers() throws {
        let (input, writer) = try connectedStreams()
        let fixture = try makeFixture(ConsoleBackend(output: nil, input: input))
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
        let fixture = try makeFixture(ConsoleBackend(output: nil, input: input))
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

    /// A reader takes a part of what the guest wrote; the console moves; the reader goes on.
    @Test func outputIsNeitherLostNorRepeatedByAMove() throws {
        let (reader, stream) = try connectedStreams()
        let memory = try DriverRing.memory(size: 8 << 20)
        let fixture = try makeFixture(ConsoleBackend(output: stream, input: nil), memory: memory)
        try fixture.transport.device.resume()
        var rings = fixture.start()
        let length = 4 << 20
        let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 / 251) }
        try memory.write(bytes, at: GuestAddress(0x10_0000))
        try rings[1].offer([.readable(0x10_0000, UInt32(length))])
        fixture.notify(1)

        var seen = try reader.descriptor.read(maximum: 1000)
        fixture.transport.device.quiesce()
        #expect(try rings[1].takeUsed().isEmpty)
        let next = try makeFixture(ConsoleBackend(output: stream, input: nil), memory: memory)
        try next.load(fixture.save())
        try next.transport.device.takeOver(try fixture.transport.device.release())
        try next.transport.device.resume()
        while seen.count < length {
            try reader.descriptor.wait(for: .readable, deadline: .after(milliseconds: 20_000))
            seen += try reader.descriptor.read(maximum: 1 << 16)
        }
        _ = try next.waitForUsed(&rings[1], 1)
        #expect(seen == bytes)
    }

    @Test func stuckReaderDoesNotKeepTheDeviceFromStanding() throws {
        let (reader, stream) = try connectedStreams()
        let fixture = try makeFixture(ConsoleBackend(output: stream, input: nil))
        try fixture.transport.device.resume()
        var rings = fixture.start()
        for index in 0..<8 { try rings[1].offer([.readable(0x4_0000, 0x1_0000 - UInt32(index))]) }
        fixture.notify(1)
        try reader.descriptor.wait(for: .readable, deadline: .after(milliseconds: 20_000))
        fixture.transport.device.quiesce()
        #expect(try rings[1].takeUsed().count < 8)
    }
}
