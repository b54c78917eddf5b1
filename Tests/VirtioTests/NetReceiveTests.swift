import GuestMemory
import LinuxSystem
import Testing

@testable import Virtio

/// Packets to the driver that need more than one of its buffers, or more than it has.
@Suite(.enabled(if: canMakeTaps, "needs /dev/net/tun and root"))
struct NetReceiveTests {
    private static let buffers: UInt64 = 0x10_0000
    private static let withoutMerging = NetFeature.mergeableBuffers

    private func makeFixture() throws -> TransportFixture {
        let fixture = try TransportFixture(
            NetDevice(try netConfiguration()), memory: DriverRing.memory(size: 4 << 20))
        try fixture.boot()
        return fixture
    }

    private func offer(
        _ count: Int, of size: UInt32 = 2048, _ ring: inout DriverRing,
        _ fixture: TransportFixture
    ) throws {
        for _ in 0..<count {
            let address = Self.buffers + UInt64(ring.nextDescriptor) * UInt64(size)
            try ring.stage([.writable(address, size)])
        }
        try ring.publish()
        fixture.notify(0)
    }

    /// The contents of returned buffers, one after another.
    private func contents(
        _ used: [DriverRing.Used], _ ring: DriverRing
    ) throws -> [UInt8] {
        try used.flatMap { used in
            let place = ring.layout.descriptorTable.plus(16 * UInt64(used.head))
            return try ring.memory.read(
                at: GuestAddress(try ring.memory.load(UInt64.self, at: place)),
                count: Int(used.written))
        }
    }

    /// The buffers of the next packet that is larger than `size`; smaller ones, which the host's
    /// kernel sends by itself, are passed over.
    private func nextPacket(
        over size: Int, _ ring: inout DriverRing, _ fixture: TransportFixture
    ) throws -> (used: [DriverRing.Used], bytes: [UInt8]) {
        var used: [DriverRing.Used] = []
        while true {
            if used.isEmpty { used = try fixture.waitForUsed(&ring, 1) }
            let first = try contents([used[0]], ring)
            let count = Int(first[10]) | Int(first[11]) << 8
            if used.count < count { used += try fixture.waitForUsed(&ring, count - used.count) }
            let packet = Array(used[..<count])
            let bytes = try contents(packet, ring)
            if bytes.count > size { return (packet, bytes) }
            used.removeFirst(count)
        }
    }

    /// Whether a packet came as it was sent. The kernel sets the length of all headers anew, to how
    /// much of the packet it has in one piece.
    private func isWhole(_ bytes: [UInt8], _ header: [UInt8], _ frame: [UInt8]) -> Bool {
        bytes[..<2] == header[..<2] && bytes[4..<10] == header[4..<10] && bytes[12...] == frame[...]
    }

    @Test(arguments: [3000, 10_000, 65_000])
    func largePacketTakesSeveralBuffers(count: Int) throws {
        try inNamespace {
            let fixture = try makeFixture()
            var ring = fixture.start(queueSize: 64)[0]
            let socket = try PacketSocket("guest0")
            try offer(60, &ring, fixture)
            let (header, frame) = largePacket(to: guestAddress, count)
            try socket.send(frame, header: header)
            let packet = try nextPacket(over: 2000, &ring, fixture)
            #expect(isWhole(packet.bytes, header, frame))
            #expect(packet.used.count == (12 + frame.count + 2047) / 2048)
            #expect(packet.used.dropLast().allSatisfy { $0.written == 2048 })
        }
    }

    @Test func packetWaitsForTheBuffersThatItLacks() throws {
        try inNamespace {
            let fixture = try makeFixture()
            var ring = fixture.start(queueSize: 64)[0]
            let socket = try PacketSocket("guest0")
            // The rest of the ring is thought to be with the driver, which is about to offer more.
            try offer(16, &ring, fixture)
            let (header, frame) = largePacket(to: guestAddress, 60_000)
            try socket.send(frame, header: header)
            // The device asks to be told of the next buffer when it has taken these.
            let deadline = MonotonicInstant.after(milliseconds: 120_000)
            while try ring.availableEvent != 16 { try #require(!deadline.hasPassed) }
            try offer(32, &ring, fixture)
            let packet = try nextPacket(over: 2000, &ring, fixture)
            #expect(isWhole(packet.bytes, header, frame))
            #expect(fixture.counter("rx_dropped") == 0)
        }
    }

    @Test func withoutMergingOneRequestTakesThePacket() throws {
        try inNamespace {
            let fixture = try makeFixture()
            let features = fixture.transport.device.features.union(.ofAllDevices)
            var ring = fixture.start(
                queueSize: 64, features: features.subtracting(Self.withoutMerging))[0]
            let socket = try PacketSocket("guest0")
            for index in 0..<8 as Range<UInt64> {
                try ring.stage([
                    .writable(Self.buffers + index * 0x2_0000, 12),
                    .writable(Self.buffers + index * 0x2_0000 + 0x1000, 0x1_1000),
                ])
            }
            try ring.publish()
            fixture.notify(0)
            let (header, frame) = largePacket(to: guestAddress, 65_000)
            try socket.send(frame, header: header)
            var found: DriverRing.Used?
            while found == nil {
                found = try fixture.waitForUsed(&ring, 1).first { $0.written > 2000 }
            }
            let used = try #require(found)
            #expect(used.written == UInt32(12 + frame.count))
            let start = Self.buffers + UInt64(used.head / 2) * 0x2_0000
            let bytes =
                try ring.memory.read(at: GuestAddress(start), count: 12)
                + ring.memory.read(at: GuestAddress(start + 0x1000), count: frame.count)
            #expect(Array(bytes[10..<12]) == [1, 0])
            #expect(isWhole(bytes, header, frame))
        }
    }

    @Test func packetThatIsTooLongForItsRequestIsLostAlone() throws {
        try inNamespace {
            let fixture = try makeFixture()
            let features = fixture.transport.device.features.union(.ofAllDevices)
            var ring = fixture.start(
                queueSize: 64, features: features.subtracting(Self.withoutMerging))[0]
            let socket = try PacketSocket("guest0")
            try offer(16, &ring, fixture)
            let (header, frame) = largePacket(to: guestAddress, 4000)
            try socket.send(frame, header: header)
            let small = largePacket(to: guestAddress, 1000).frame
            try socket.send(small)
            var hasCome = false
            while !hasCome {
                for used in try fixture.waitForUsed(&ring, 1) {
                    #expect(used.written < 2000)
                    hasCome = try hasCome || contents([used], ring)[12...] == small[...]
                }
            }
            #expect(fixture.counter("rx_dropped") == 1)
        }
    }

    @Test func hostCutsWhatTheDriverDoesNotTake() throws {
        try inNamespace {
            let fixture = try makeFixture()
            var ring = fixture.start(
                queueSize: 64, features: [.version1, NetFeature.mergeableBuffers])[0]
            let socket = try PacketSocket("guest0")
            try offer(32, &ring, fixture)
            let (header, frame) = largePacket(to: guestAddress, 5000)
            try socket.send(frame, header: header)
            var pieces = 0
            while pieces < 5 {
                for used in try fixture.waitForUsed(&ring, 1) {
                    let bytes = try contents([used], ring)
                    guard Array(bytes[18..<24]) == [2, 0, 0, 0, 0, 9] else { continue }
                    pieces += 1
                    // Nothing is left to do: neither checksum nor cutting.
                    #expect(Array(bytes[..<2]) == [0, 0])
                    #expect(bytes.count == 12 + 54 + 1000)
                }
            }
        }
    }

    @Test func buffersInHandGoBackWhenTheDeviceRests() throws {
        try inNamespace {
            let fixture = try makeFixture()
            var ring = fixture.start(queueSize: 64)[0]
            let socket = try PacketSocket("guest0")
            try offer(60, &ring, fixture)
            let (header, frame) = largePacket(to: guestAddress, 10_000)
            try socket.send(frame, header: header)
            _ = try nextPacket(over: 2000, &ring, fixture)
            fixture.transport.device.quiesce()
            _ = try ring.takeUsed()
            #expect(
                fixture.transport.queues[0].position
                    == Virtqueue.Position(available: ring.seen, used: ring.seen))
        }
    }

    @Test func largePacketOfTheDriverReachesTheHostWhole() throws {
        try inNamespace {
            let fixture = try makeFixture()
            var ring = fixture.start(queueSize: 64)[1]
            let socket = try PacketSocket("guest0")
            let (header, frame) = largePacket(to: guestAddress, 60_000)
            try ring.memory.write(header + [0, 0] + frame, at: GuestAddress(Self.buffers))
            // Cut in odd places.
            try ring.offer([
                .readable(Self.buffers, 7), .readable(Self.buffers + 7, 100),
                .readable(Self.buffers + 107, UInt32(12 + frame.count - 107)),
            ])
            fixture.notify(1)
            let received = try socket.receive { $0.count > 2000 }
            let isSame = Array(received[10...]) == frame
            #expect(isSame)
            #expect(Array(received[..<2]) == [1, 1])
            _ = try fixture.waitForUsed(&ring, 1)
            #expect(fixture.counter("tx_bytes") == UInt64(frame.count))
        }
    }
}

extension TransportFixture {
    /// One of the device's counters.
    func counter(_ name: String) -> UInt64? {
        transport.device.counters.first { $0.name == name }?.value
    }
}
