import GuestMemory
import LinuxSystem
import StateCoding
import Synchronization
import Testing

@testable import Virtio

/// The control queue, the link, and announcements.
@Suite(.enabled(if: canMakeTaps, "needs /dev/net/tun and root"))
struct NetControlTests {
    /// A command's bytes, and whether the device does it.
    private static let commands: [(bytes: [UInt8], isDone: Bool)] = [
        ([0, 0, 1], true), ([0, 0, 0], true), ([0, 1, 1], true), ([0, 0, 2], false),
        ([0, 0], false), ([0, 2, 1], false),
        ([1, 1, 2, 0, 0, 0, 0, 7], true), ([1, 1, 3, 0, 0, 0, 0, 7], false),
        ([1, 1, 0, 0, 0, 0, 0, 0], false), ([1, 1, 2, 0, 0], false), ([1, 2], false),
        ([1, 0, 0, 0, 0, 0, 0, 0, 0, 0], true), ([1, 0, 0, 0, 0, 0], false),
        ([1, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 8, 1, 0, 0, 0, 1, 0, 94, 0, 0, 1], true),
        ([1, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 8, 2, 0, 0, 0, 1, 0, 94, 0, 0, 1], false),
        ([1, 0, 255, 255, 255, 255, 2, 0, 0, 0, 0, 8], false),
        ([2, 0, 5, 0], true), ([2, 1, 5, 0], true), ([2, 0, 0, 16], false), ([2, 0, 1], false),
        ([3, 0], true), ([3, 1], false),
        ([4, 0, 2, 0], true), ([4, 0, 0, 0], false), ([4, 0, 3, 0], false), ([4, 0], false),
        ([5, 0, 2, 0, 0, 0, 0, 0, 0, 0], true), ([5, 0, 0, 0, 0, 0, 0, 0, 0, 0], true),
        ([5, 0, 1, 0, 0, 0, 0, 0, 0, 0], false), ([5, 0, 2], false),
        ([6, 0], false), ([255, 255], false), ([0], false),
    ]

    @Test func commandsAreDoneOrRefused() throws {
        try inNamespace {
            let fixture = try TransportFixture(NetDevice(try netConfiguration(queuePairs: 2)))
            try fixture.boot()
            var driver = try NetDriver(fixture)
            for command in Self.commands {
                let answer = try driver.command(command.bytes, fixture)
                #expect(answer == (command.isDone ? 0 : 1), "\(command.bytes)")
            }
            #expect(fixture.events.all == [.activated])
        }
    }

    @Test func commandsOfFeaturesThatWereNotAgreedOnAreRefused() throws {
        try inNamespace {
            let fixture = try TransportFixture(NetDevice(try netConfiguration(queuePairs: 2)))
            try fixture.boot()
            var driver = try NetDriver(
                fixture,
                features: [.version1, NetFeature.controlQueue, NetFeature.multipleQueues])
            for command in Self.commands where command.isDone {
                let isDone = try driver.command(command.bytes, fixture) == 0
                #expect(isDone == (command.bytes[0] == 4), "\(command.bytes)")
            }
        }
    }

    @Test func choicesMoveWithTheGuestAndEndWithTheDriver() throws {
        try inNamespace {
            let memory = try DriverRing.memory()
            let fixture = try TransportFixture(
                NetDevice(try netConfiguration(queuePairs: 2)), memory: memory)
            try fixture.boot()
            var driver = try NetDriver(fixture)
            let table: [UInt8] = [1, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 8, 0, 0, 0, 0]
            for command in [
                [0, 0, 1], [0, 1, 1], [1, 1, 2, 0, 0, 0, 0, 7], table, [4, 0, 2, 0],
                [5, 0, 2, 0, 0, 0, 0, 0, 0, 0],
            ] {
                #expect(try driver.command(command, fixture) == 0)
            }
            #expect(fixture.read(0x2000, 4) == 0x0000_0002 && fixture.read(0x2004, 2) == 0x0700)
            fixture.transport.device.quiesce()
            let state = fixture.save()
            let device = NetDevice(try netConfiguration(queuePairs: 2))
            let next = try TransportFixture(device, memory: memory)
            try next.load(state)
            #expect(next.save() == state)
            #expect(
                device.state.withLock { $0.choice }
                    == NetChoice(
                        activePairs: 2, address: EthernetAddress("02:00:00:00:00:07"),
                        furtherAddresses: [EthernetAddress("02:00:00:00:00:08")].compactMap(\.self),
                        isPromiscuous: true, receivesAllMulticast: true,
                        offloads: NetFeature.guestChecksum))
            next.write(0x14, 1, 0)
            #expect(next.read(0x2004, 2) == 0x0200)
            #expect(device.state.withLock { $0.choice } == NetChoice())
        }
    }

    @Test func hostCutsPacketsOnceTheDriverHasSwitchedThemOff() throws {
        try inNamespace {
            let fixture = try TransportFixture(NetDevice(try netConfiguration()))
            try fixture.boot()
            var driver = try NetDriver(fixture)
            // Checksums stay with the driver, large packets do not.
            #expect(try driver.command([5, 0, 2, 0, 0, 0, 0, 0, 0, 0], fixture) == 0)
            try driver.offerBuffers(32)
            let (header, frame) = largePacket(to: guestAddress, 3000)
            try PacketSocket("guest0").send(frame, header: header)
            let piece = try driver.receive(fixture) { Array($0[6..<12]) == [2, 0, 0, 0, 0, 9] }
            #expect(piece.count == 1054)
        }
    }

    @Test func driverIsToldOfTheLink() throws {
        try inNamespace {
            let device = NetDevice(try netConfiguration())
            let fixture = try TransportFixture(device)
            try fixture.boot()
            var driver = try NetDriver(fixture)
            try driver.offerBuffers(32)
            device.setLink(up: false)
            try fixture.chip.waitForSignal(vector: 3)
            #expect(fixture.read(0x2006, 2) == 0)
            try driver.send(askForHost)
            _ = try fixture.waitForUsed(&driver.rings[1], 1)
            #expect(fixture.counter("tx_dropped") == 1 && fixture.counter("tx_frames") == 0)
            _ = fixture.chip.takeSignals(vector: 3)
            device.setLink(up: true)
            try fixture.chip.waitForSignal(vector: 3)
            #expect(fixture.read(0x2006, 2) == 1)
            try driver.send(askForHost)
            _ = try driver.receive(fixture) { isAnswerOfHost($0) }
        }
    }

    @Test func driverIsAskedToAnnounceUntilItConfirms() throws {
        try inNamespace {
            let fixture = try TransportFixture(NetDevice(try netConfiguration()))
            try fixture.boot()
            var driver = try NetDriver(fixture)
            // A guest that has always been here is not announced.
            fixture.transport.device.announce()
            #expect(fixture.read(0x2006, 2) == 1)
            fixture.transport.device.quiesce()
            _ = try fixture.transport.device.release()
            try fixture.transport.device.reclaim()
            try fixture.transport.device.resume()
            let generation = fixture.read(0x15, 1)
            fixture.transport.device.announce()
            #expect(fixture.read(0x15, 1) != generation)
            #expect(fixture.read(0x2006, 2) == 3)
            try fixture.chip.waitForSignal(vector: 3)
            #expect(try driver.command([3, 0], fixture) == 0)
            #expect(fixture.read(0x2006, 2) == 1)
        }
    }

    @Test func arrivedGuestIsAnnouncedFromItsAddressesOnAllQueues() throws {
        try inNamespace {
            let memory = try DriverRing.memory()
            let configuration = try netConfiguration(queuePairs: 2)
            let source = try TransportFixture(NetDevice(configuration), memory: memory)
            try source.boot()
            var driver = try NetDriver(source)
            #expect(try driver.command([4, 0, 2, 0], source) == 0)
            let table: [UInt8] = [1, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 8, 0, 0, 0, 0]
            #expect(try driver.command(table, source) == 0)
            source.transport.device.quiesce()
            let state = source.save()
            let backendState = try source.transport.device.release()

            let next = try TransportFixture(NetDevice(configuration), memory: memory)
            try next.load(state)
            try next.transport.device.bind()
            try next.transport.device.takeOver(backendState)
            let socket = try PacketSocket("guest0", type: 0x8035)
            try next.transport.device.resume()
            next.transport.device.announce()
            var counts: [[UInt8]: Int] = [:]
            for _ in 0..<(NetAnnouncer.rounds * 2 * 2) {
                counts[Array(try socket.receive()[16..<22]), default: 0] += 1
            }
            #expect(counts == [[2, 0, 0, 0, 0, 2]: 10, [2, 0, 0, 0, 0, 8]: 10])
            // It is announced once.
            next.transport.device.announce()
            #expect(throws: SystemError.self) { try socket.receive(milliseconds: 300) }
        }
    }

    @Test func restOfAnAnnouncementIsSentAfterAPause() throws {
        try inNamespace {
            let fixture = try TransportFixture(NetDevice(try netConfiguration()))
            try fixture.boot()
            _ = try NetDriver(fixture)
            let device = fixture.transport.device
            device.quiesce()
            _ = try device.release()
            try device.reclaim()
            let socket = try PacketSocket("guest0", type: 0x8035)
            try device.resume()
            device.announce()
            _ = try socket.receive()
            device.quiesce()
            try device.resume()
            for _ in 1..<NetAnnouncer.rounds { _ = try socket.receive() }
        }
    }
}
