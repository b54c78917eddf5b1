import GuestMemory
import LinuxSystem
import Machine
import Testing

@testable import Virtio

/// A device that works, with what a driver can do wrong with each of its queues.
private struct Victim {
    let fixture: TransportFixture
    /// Requests that no device of this kind can answer, by queue.
    let malformed: [(queue: Int, buffers: [DriverRing.Buffer])]
    /// A request that is answered, and its queue.
    let sound: (queue: Int, buffers: [DriverRing.Buffer])
    /// What must live as long as the device.
    let support: [any AnyObject & Sendable]

    /// A device of a kind with everything behind it.
    init(_ kind: VirtioDeviceKind) throws {
        switch kind {
        case .network:
            fixture = try TransportFixture(NetDevice(try netConfiguration(queuePairs: 2)))
            try fixture.boot()
            // Less than a header to receive into; no header, and no contents, to send; a command
            // without room for its answer.
            malformed = [
                (0, [.writable(0x8000, 0)]), (0, [.writable(0x8000, 11)]),
                (0, [.readable(0x8000, 64)]), (1, [.readable(0x8000, 0)]),
                (1, [.readable(0x8000, 11)]), (1, [.writable(0x8000, 64)]),
                (1, [.readable(0x4_0000, 0x2_0000)]), (2, [.writable(0x8000, 4)]),
                (3, [.readable(0x8000, 4)]), (4, [.readable(0x8000, 2)]),
                (4, [.readable(0x8000, 2), .writable(0x8000, 0)]),
            ]
            sound = (4, [.readable(0x8000, 2), .writable(0x9000, 1)])
            support = []
        case .block:
            let file = try TemporaryFile(size: 1 << 16)
            fixture = try TransportFixture(
                BlockDevice(BlockConfiguration(identifier: "_disk0", path: file.path)))
            try fixture.boot()
            malformed = [
                (0, [.readable(0x8000, 0)]), (0, [.readable(0x8000, 15), .writable(0x9000, 1)]),
                (0, [.readable(0x8000, 16)]), (0, [.writable(0x9000, 512)]),
                (0, [.readable(0x8000, 16), .writable(0x9000, 0)]),
            ]
            sound = (0, [.readable(0x8000, 16), .writable(0x9000, 513)])
            support = [file]
        case .console:
            let loop = try EventLoop(name: "consoles")
            let device = try ConsoleDevice(
                ConsoleConfiguration(identifier: "__console", output: .null), loop: loop)
            let pair = try StreamSocket.pair(name: "console")
            // The driver's buffers are looked at when there is input for them.
            try pair.second.descriptor.writeAll([0x78])
            let stream = SharedDescriptor(try pair.second.descriptor.duplicate())
            fixture = try TransportFixture(device)
            try device.bind(output: nil, input: try pair.first.descriptor.duplicate())
            try device.takeOver(nil)
            try device.resume()
            malformed = [(0, [.writable(0x8000, 0)]), (0, [.readable(0x8000, 8)])]
            sound = (1, [.readable(0x8000, 8)])
            support = [stream, loop]
        case .entropy:
            fixture = try TransportFixture(
                EntropyDevice(.init(identifier: "__rng", source: "/dev/zero")))
            try fixture.boot()
            malformed = [(0, [.writable(0x8000, 0)]), (0, [.readable(0x8000, 8)])]
            sound = (0, [.writable(0x8000, 8)])
            support = []
        }
    }
}

/// A way for a driver to break a queue, whatever device it belongs to.
private struct Breakage: Sendable {
    let name: String
    let arrange: @Sendable (inout DriverRing) throws -> Void

    static let all: [Breakage] = [
        Breakage(name: "available index ahead") { ring in ring.available = 17 },
        Breakage(name: "head out of range") { ring in try ring.stageHead(16) },
        Breakage(name: "next out of range") { ring in
            try ring.writeDescriptor(0, address: 0x8000, length: 16, flags: 1, next: 0xFFFF)
            try ring.stageHead(0)
        },
        Breakage(name: "loop") { ring in
            try ring.writeDescriptor(0, address: 0x8000, length: 16, flags: 1, next: 1)
            try ring.writeDescriptor(1, address: 0x8000, length: 16, flags: 1, next: 0)
            try ring.stageHead(0)
        },
        Breakage(name: "loop of empty buffers for writing") { ring in
            try ring.writeDescriptor(0, address: 0x8000, length: 0, flags: 3, next: 0)
            try ring.stageHead(0)
        },
        Breakage(name: "outside RAM") { ring in try ring.stage([.readable(1 << 40, 64)]) },
        Breakage(name: "room outside RAM") { ring in try ring.stage([.writable(1 << 40, 64)]) },
        Breakage(name: "over the end of RAM") { ring in try ring.stage([.writable(0xF_FFF0, 64)]) },
        Breakage(name: "over the end of addresses") { ring in
            try ring.stage([.readable(.max - 7, 64)])
        },
        Breakage(name: "largest length") { ring in try ring.stage([.writable(0x8000, .max)]) },
        Breakage(name: "readable after writable") { ring in
            try ring.stage([.writable(0x8000, 64), .readable(0x8000, 64)])
        },
        Breakage(name: "table in a table") { ring in
            try ring.writeDescriptor(0, address: 0x7000, length: 16, flags: 4, next: 0)
            try ring.writeDescriptor(
                0, address: 0x7000, length: 16, flags: 4, next: 0, table: GuestAddress(0x7000))
            try ring.stageHead(0)
        },
        Breakage(name: "table of no descriptors") { ring in
            try ring.writeDescriptor(0, address: 0x7000, length: 0, flags: 4, next: 0)
            try ring.stageHead(0)
        },
        Breakage(name: "table outside RAM") { ring in
            try ring.writeDescriptor(0, address: 1 << 40, length: 32, flags: 4, next: 0)
            try ring.stageHead(0)
        },
    ]
}

/// What a driver can do to a device stops that device, and nothing else; a reset brings it back.
@Suite struct HostileDriverTests {
    private static let kinds = VirtioDeviceKind.allCases.filter { $0 != .network || canMakeTaps }

    @Test(arguments: kinds)
    func eachQueueOfEachKindStopsUntilTheReset(kind: VirtioDeviceKind) throws {
        try inNamespace {
            let victim = try Victim(kind)
            let bystander = try Victim(.entropy)
            var bystanderRings = bystander.fixture.start()
            for queue in victim.fixture.transport.queues.indices {
                for breakage in Breakage.all {
                    try attack(victim, queue, "\(breakage.name), queue \(queue)", breakage.arrange)
                }
            }
            for (index, malformed) in victim.malformed.enumerated() {
                try attack(victim, malformed.queue, "malformed \(index)") { ring in
                    try ring.stage(malformed.buffers)
                }
            }
            // Nobody else has noticed.
            try bystanderRings[0].offer(bystander.sound.buffers)
            bystander.fixture.notify(0)
            _ = try bystander.fixture.waitForUsed(&bystanderRings[0], 1)
            #expect(bystander.fixture.events.all == [.activated])
        }
    }

    private func attack(
        _ victim: Victim, _ queue: Int, _ name: String,
        _ arrange: (inout DriverRing) throws -> Void
    ) throws {
        let fixture = victim.fixture
        fixture.events.removeAll()
        var rings = startAnew(fixture)
        try arrange(&rings[queue])
        try rings[queue].publish()
        fixture.notify(queue)

        // The interrupt tells the driver, and the status says why.
        do {
            try fixture.chip.waitForSignal(vector: UInt32(rings.count))
        } catch {
            Issue.record("\(name): the device goes on")
            return
        }
        #expect(fixture.status.contains(.needsReset), "\(name)")
        #expect(fixture.read(0x1000, 1) & 2 != 0, "\(name)")
        // More of it changes nothing.
        for other in rings.indices { fixture.notify(other) }
        #expect(try rings[queue].takeUsed().isEmpty, "\(name)")

        // The next driver finds a device that works, in all its queues.
        var next = startAnew(fixture)
        #expect(!fixture.status.contains(.needsReset), "\(name)")
        try next[victim.sound.queue].offer(victim.sound.buffers)
        fixture.notify(victim.sound.queue)
        _ = try fixture.waitForUsed(&next[victim.sound.queue], 1)
        let failures = fixture.events.all.filter { event in
            if case .failed = event { true } else { false }
        }
        // One line, or none: those that repeat are counted, and the log gets ever fewer of them.
        #expect(failures.count <= 1, "\(name)")
    }

    @Test func failureIsReportedOnceInOneSentence() throws {
        let victim = try Victim(.entropy)
        var rings = victim.fixture.start()
        try rings[0].stage([.writable(1 << 40, 64)])
        try rings[0].publish()
        for _ in 0..<3 { victim.fixture.notify(0) }
        try victim.fixture.chip.waitForSignal(vector: 1)
        victim.fixture.transport.device.quiesce()
        #expect(victim.fixture.events.failures.count == 1)
        let text = try #require(victim.fixture.events.failures.first)
        #expect(text.hasPrefix("Queue 0: The driver names memory that is not there"))
        #expect(!text.contains("\n"))
    }

    /// A driver that begins with empty rings, as after a reset.
    private func startAnew(_ fixture: TransportFixture) -> [DriverRing] {
        // The reset comes first: until then the device may still use them.
        fixture.write(0x14, 1, 0)
        let zeros = [UInt8](repeating: 0, count: 0x2_0000)
        try? fixture.memory.write(zeros, at: GuestAddress(0x1_0000))
        let rings = fixture.start()
        _ = fixture.chip.takeSignals(vector: UInt32(rings.count))
        return rings
    }
}
