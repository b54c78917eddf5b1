import Glibc
import GuestMemory
import LinuxSystem
import Testing

@testable import Virtio

/// A file that is gone when the test ends.
final class TemporaryFile: Sendable {
    let path: String
    let descriptor: OwnedDescriptor

    init(size: Int) throws {
        path = "/tmp/martlet-test-\(UInt64.random(in: 0 ... .max)).img"
        descriptor = try OwnedDescriptor(opening: path, [.write, .create, .truncate])
        try descriptor.truncate(to: size)
    }

    deinit {
        // SAFETY: the path is a terminated string for the length of the call.
        _ = unsafe unlink(path)
    }

    func contents(_ count: Int, at offset: Int) throws -> [UInt8] {
        try descriptor.read(exactly: count, at: offset)
    }
}

extension OwnedDescriptor {
    func read(exactly count: Int, at offset: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let done = try unsafe bytes.withUnsafeMutableBytes { try unsafe read(into: $0, at: offset) }
        #expect(done == count)
        return bytes
    }
}

/// A driver that talks to a disk through one ring.
struct DiskDriver {
    /// How many requests can be under way.
    static let slotCount = 21
    static let queueSize: UInt16 = 64

    var ring: DriverRing
    private var nextSlot = 0

    init(ring: DriverRing) {
        self.ring = ring
    }

    var memory: GuestRAM { ring.memory }

    static func header(_ slot: Int) -> UInt64 { 0x4_0000 + UInt64(slot) * 0x2000 }
    static func data(_ slot: Int) -> UInt64 { header(slot) + 0x200 }
    static func status(_ slot: Int) -> UInt64 { header(slot) + 0x1F00 }

    /// Puts a request into the next slot without telling the device.
    ///
    /// - Parameter skew: moves the data off its alignment.
    mutating func stage(
        _ type: UInt32, sector: UInt64, writing bytes: [UInt8] = [], room: Int = 0, skew: UInt64 = 0
    ) throws -> Int {
        let slot = nextSlot
        nextSlot = (nextSlot + 1) % Self.slotCount
        try memory.store(type, at: GuestAddress(Self.header(slot)))
        try memory.store(sector, at: GuestAddress(Self.header(slot) + 8))
        try memory.write([0xEE], at: GuestAddress(Self.status(slot)))
        var buffers: [DriverRing.Buffer] = [.readable(Self.header(slot), 16)]
        if !bytes.isEmpty {
            try memory.write(bytes, at: GuestAddress(Self.data(slot) + skew))
            buffers.append(.readable(Self.data(slot) + skew, UInt32(bytes.count)))
        }
        if room > 0 { buffers.append(.writable(Self.data(slot) + skew, UInt32(room))) }
        buffers.append(.writable(Self.status(slot), 1))
        try ring.stage(buffers)
        return slot
    }

    func status(of slot: Int) throws -> UInt8 {
        try memory.load(UInt8.self, at: GuestAddress(Self.status(slot)))
    }

    /// Sends one request and waits for its status.
    mutating func perform(
        _ fixture: TransportFixture, _ type: UInt32, sector: UInt64 = 0,
        writing bytes: [UInt8] = [], room: Int = 0, skew: UInt64 = 0
    ) throws -> (status: UInt8, data: [UInt8]) {
        let slot = try stage(type, sector: sector, writing: bytes, room: room, skew: skew)
        try ring.publish()
        fixture.notify(0)
        _ = try fixture.waitForUsed(&ring, 1)
        let data = try memory.read(at: GuestAddress(Self.data(slot) + skew), count: room)
        return (try status(of: slot), data)
    }
}

/// A block with a number in each byte that nothing else writes.
func stamp(_ number: Int, count: Int = 512) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: number &* 31 &+ ($0 >> 3) &* (number >> 8 | 1)) }
}
