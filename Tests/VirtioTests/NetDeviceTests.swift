import Glibc
import GuestMemory
import LinuxSystem
import StateCoding
import Synchronization
import Testing

@testable import Virtio

private let guestAddress = EthernetAddress("02:00:00:00:00:02")

private func configuration(
    tap: String? = "guest0", queuePairs: Int = 1, offloads: Bool = true
) throws -> NetConfiguration {
    NetConfiguration(
        identifier: "_net0", tap: tap, address: try #require(guestAddress),
        maximumTransmissionUnit: 1400,
        hostAddress: .init(bytes: [192, 0, 2, 1], prefixLength: 24), queuePairs: queuePairs,
        queueSize: 64, offloadsChecksums: offloads, offloadsSegmentation: offloads)
}

@Suite struct NetConfigurationTests {
    @Test(
        arguments: [
            ("12:34:56:78:9a:bc", [0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC]),
            ("FF:ff:0F:00:01:02", [255, 255, 15, 0, 1, 2]), ("12:34:56:78:9a", nil),
            ("12:34:56:78:9a:bc:de", nil), ("1:2:3:4:5:6", nil), ("12:34:56:78:9a:+1", nil),
            ("", nil), ("12-34-56-78-9a-bc", nil), ("12:34:56:78:9a:zz", nil),
        ] as [(String, [UInt8]?)])
    func addressIsReadInTheUsualNotation(text: String, expected: [UInt8]?) {
        #expect(EthernetAddress(text)?.bytes == expected)
    }

    @Test func randomAddressIsLocalAndForOneInterface() throws {
        let addresses = try (0..<64).map { _ in try EthernetAddress.random() }
        #expect(addresses.allSatisfy { $0.bytes[0] & 0b11 == 0b10 })
        #expect(Set(addresses).count == 64)
        #expect(EthernetAddress(addresses[0].description) == addresses[0])
    }

    @Test func configurationShowsAddressAndLimits() throws {
        let fixture = try TransportFixture(NetDevice(try configuration(queuePairs: 2)))
        fixture.enableMemory()
        #expect(fixture.read(0x2000, 4) == 0x0000_0002)
        #expect(fixture.read(0x2004, 2) == 0x0200)
        #expect(fixture.read(0x2006, 2) == 1)
        #expect(fixture.read(0x2008, 2) == 2)
        #expect(fixture.read(0x200A, 2) == 1400)
        #expect(fixture.read(0x12, 2) == 5)
    }

    @Test func offloadsThatAreOffAreNotOffered() throws {
        let with = try configuration().features
        let without = try configuration(offloads: false).features
        let offloads: VirtioFeatures = [
            NetFeature.checksum, NetFeature.guestChecksum, NetFeature.guestSegmentation4,
            NetFeature.hostSegmentation4,
        ]
        #expect(with.isSuperset(of: offloads))
        #expect(without.isDisjoint(with: offloads))
    }

    @Test func tapLeavesToTheDriverWhatItAgreedTo() {
        #expect(VirtioFeatures([.version1]).tapOffloads == [])
        #expect(VirtioFeatures([NetFeature.guestSegmentation4]).tapOffloads == [])
        #expect(
            VirtioFeatures([NetFeature.guestChecksum, NetFeature.guestSegmentation6]).tapOffloads
                == [.checksum, .segmentation6])
    }

    @Test func announcementComesFromTheGuest() throws {
        let address = try #require(guestAddress)
        let frame = announcementFrame(from: address)
        #expect(frame.count == 60)
        #expect(Array(frame[..<6]) == [UInt8](repeating: 0xFF, count: 6))
        #expect(Array(frame[6..<12]) == address.bytes)
        #expect(Array(frame[12..<14]) == [0x80, 0x35])
    }

    @Test func backendStateOfAnotherKindIsRefused() throws {
        let device = NetDevice(try configuration())
        #expect(throws: DeviceError.self) { try device.takeOver([1, 2, 3]) }
        var writer = StateWriter()
        writer.append(TapState(name: "a-name-that-is-too-long", isCreated: true))
        #expect(throws: DeviceError.self) { try device.takeOver(writer.bytes) }
    }
}

private let canMakeTaps = unsafe access("/dev/net/tun", R_OK | W_OK) == 0 && geteuid() == 0

/// Each test runs on a thread in a network namespace of its own.
@Suite(.enabled(if: canMakeTaps, "needs /dev/net/tun and root"))
struct NetDeviceTests {
    @Test func framesGoBothWays() throws {
        try inNamespace {
            let fixture = try TransportFixture(NetDevice(try configuration()))
            try fixture.boot()
            var driver = try NetDriver(fixture)
            try driver.offerBuffers(32)
            try driver.send(askForHost)
            let answer = try driver.receive(fixture) { isAnswerOfHost($0) }
            #expect(Array(answer[..<6]) == guestAddress?.bytes)

            let counters = Dictionary(
                uniqueKeysWithValues: fixture.transport.device.counters.map { ($0.name, $0.value) })
            #expect(counters["tx_frames"] == 1)
            #expect(counters["tx_bytes"] == UInt64(askForHost.count))
            #expect(try #require(counters["rx_frames"]) >= 1)
        }
    }

    @Test func framesWaitUntilTheDriverHasBuffers() throws {
        try inNamespace {
            let fixture = try TransportFixture(NetDevice(try configuration()))
            try fixture.boot()
            var driver = try NetDriver(fixture)
            try driver.send(askForHost)
            #expect(fixture.transport.device.counters.first { $0.name == "rx_frames" }?.value == 0)
            try driver.offerBuffers(32)
            _ = try driver.receive(fixture) { isAnswerOfHost($0) }
        }
    }

    @Test func onlyPagesOfFramesAreDirty() throws {
        try inNamespace {
            let fixture = try TransportFixture(NetDevice(try configuration()))
            try fixture.boot()
            var driver = try NetDriver(fixture)
            try driver.offerBuffers(32)
            try driver.send(askForHost)
            _ = try driver.receive(fixture) { isAnswerOfHost($0) }
            fixture.transport.device.quiesce()
            var pages = PageSet(layouts: fixture.memory.layouts)
            fixture.memory.collectDirtyPages(into: &pages)
            // The last buffers wait for frames; nothing was written to them.
            let isClean = !pages.contains(page: 0x4F, inRegion: 0)
            #expect(isClean)
        }
    }

    @Test func createdTapGoesWithItsGuest() throws {
        try inNamespace {
            let device = NetDevice(try configuration())
            try device.takeOver(nil)
            #expect(try NetworkInterface(name: "guest0").maximumTransmissionUnit == 1400)
            device.letGo()
            #expect(throws: SystemError.self) {
                try NetworkInterface(name: "guest0").maximumTransmissionUnit
            }
        }
    }

    @Test func tapThatWasThereStays() throws {
        try inNamespace {
            try Tap(name: "guest0").setPersistent(true)
            let device = NetDevice(try configuration())
            try device.takeOver(nil)
            _ = try device.release()
            try device.reclaim()
            try device.resume()
            device.letGo()
            #expect(try NetworkInterface(name: "guest0").maximumTransmissionUnit == 1500)
        }
    }

    @Test func busyTapIsNamed() throws {
        try inNamespace {
            let tap = try Tap(name: "guest0")
            let device = NetDevice(try configuration())
            let error = #expect(throws: DeviceError.self) { try device.takeOver(nil) }
            #expect(error?.description.contains("tap \(tap.interface.name)") == true)
        }
    }

    @Test func guestIsReachedAfterEachMove() throws {
        try inNamespace {
            let memory = try DriverRing.memory()
            var fixture = try TransportFixture(NetDevice(try configuration()), memory: memory)
            try fixture.boot()
            var driver = try NetDriver(fixture)
            try driver.offerBuffers(8)
            for _ in 0..<4 {
                try driver.send(askForHost)
                _ = try driver.receive(fixture) { isAnswerOfHost($0) }

                // The next question is asked while nobody serves the queues.
                fixture.transport.device.quiesce()
                try driver.send(askForHost)
                let state = fixture.save()
                let backendState = try fixture.transport.device.release()
                let next = try TransportFixture(NetDevice(try configuration()), memory: memory)
                try next.load(state)
                try next.transport.device.bind()
                try next.transport.device.takeOver(backendState)
                try next.transport.device.resume()
                fixture = next
                driver.attach(fixture)
                _ = try driver.receive(fixture) { isAnswerOfHost($0) }
            }
            fixture.transport.device.letGo()
            #expect(throws: SystemError.self) {
                try NetworkInterface(name: "guest0").maximumTransmissionUnit
            }
        }
    }

    @Test func returnedTapIsTakenBack() throws {
        try inNamespace {
            let source = NetDevice(try configuration(tap: nil))
            try source.takeOver(nil)
            let state = try source.release()
            let destination = NetDevice(try configuration(tap: nil))
            try destination.takeOver(state)
            #expect(throws: DeviceError.self) { try source.reclaim() }
            destination.letGo()
            try source.reclaim()
            try source.resume()
            source.letGo()
        }
    }

    @Test func driverIsAskedToAnnounceUntilItConfirms() throws {
        try inNamespace {
            let fixture = try TransportFixture(NetDevice(try configuration()))
            try fixture.boot()
            var driver = try NetDriver(fixture)
            let generation = fixture.read(0x15, 1)
            fixture.transport.device.announce()
            #expect(fixture.read(0x15, 1) != generation)
            #expect(fixture.read(0x2006, 2) == 3)
            try fixture.chip.waitForSignal(vector: 3)
            #expect(try driver.command([3, 0], fixture) == 0)
            #expect(fixture.read(0x2006, 2) == 1)
            #expect(try driver.command([3, 1], fixture) == 1)
            #expect(try driver.command([4, 0, 9, 0], fixture) == 1)
        }
    }

    @Test func queuePairsAreSwitchedOn() throws {
        try inNamespace {
            let fixture = try TransportFixture(NetDevice(try configuration(queuePairs: 2)))
            try fixture.boot()
            var driver = try NetDriver(fixture)
            #expect(try driver.command([4, 0, 2, 0], fixture) == 0)
            #expect(try driver.command([4, 0, 1, 0], fixture) == 0)
            #expect(try driver.command([4, 0, 2, 0], fixture) == 0)
            #expect(try driver.command([4, 0, 3, 0], fixture) == 1)
            #expect(try driver.command([4, 0], fixture) == 1)
            // A pair that is off is no failure.
            #expect(fixture.events.all == [.activated])
        }
    }

    private func inNamespace(_ body: @escaping @Sendable () throws -> Void) throws {
        let failure = Shared(Mutex<(any Error)?>(nil))
        let thread = try WorkerThread(name: "namespace") { _ in
            do {
                _ = try NetworkNamespace.enterNew()
                try body()
            } catch {
                failure.value.withLock { $0 = error }
            }
        }
        thread.join()
        if let error = failure.value.withLock({ $0 }) { throw error }
    }

    private final class Shared<Value: ~Copyable & Sendable>: Sendable {
        let value: Value
        init(_ value: consuming Value) { self.value = value }
    }
}

/// "Who has 192.0.2.1?", from the guest.
private let askForHost: [UInt8] =
    [UInt8](repeating: 0xFF, count: 6) + [2, 0, 0, 0, 0, 2] + [0x08, 0x06]
    + [0, 1, 8, 0, 6, 4, 0, 1] + [2, 0, 0, 0, 0, 2] + [192, 0, 2, 2]
    + [0, 0, 0, 0, 0, 0] + [192, 0, 2, 1]

private func isAnswerOfHost(_ frame: [UInt8]) -> Bool {
    frame.count >= 42 && Array(frame[12..<14]) == [0x08, 0x06] && frame[21] == 2
        && Array(frame[28..<32]) == [192, 0, 2, 1]
}

/// A driver of a network interface with one pair of queues.
private struct NetDriver {
    private static let bufferSize: UInt32 = 2048
    private static let receiveBuffers: UInt64 = 0x4_0000
    private static let transmitBuffer: UInt64 = 0x8_0000
    private static let commandBuffer: UInt64 = 0x9_0000

    private var rings: [DriverRing]
    private var notify: (Int) -> Void
    private let control: Int

    init(_ fixture: TransportFixture) throws {
        rings = fixture.start(queueSize: 64)
        control = rings.count - 1
        notify = { fixture.notify($0) }
    }

    mutating func attach(_ fixture: TransportFixture) {
        notify = { fixture.notify($0) }
    }

    mutating func offerBuffers(_ count: Int) throws {
        for index in 0..<count {
            try rings[0].stage([
                .writable(Self.receiveBuffers + UInt64(index) * 2048, Self.bufferSize)
            ])
        }
        try rings[0].publish()
        notify(0)
    }

    mutating func send(_ frame: [UInt8]) throws {
        let header = [UInt8](repeating: 0, count: 12)
        try rings[1].memory.write(header + frame, at: GuestAddress(Self.transmitBuffer))
        try rings[1].offer([.readable(Self.transmitBuffer, UInt32(12 + frame.count))])
        notify(1)
    }

    /// Waits for the frame that is looked for, and gives each buffer back.
    mutating func receive(
        _ fixture: TransportFixture, _ isWanted: ([UInt8]) -> Bool
    ) throws -> [UInt8] {
        while true {
            for used in try fixture.waitForUsed(&rings[0], 1) {
                let place = try rings[0].memory.load(
                    UInt64.self,
                    at: rings[0].layout.descriptorTable.plus(16 * UInt64(used.head)))
                let bytes = try rings[0].memory.read(
                    at: GuestAddress(place), count: Int(used.written))
                #expect(Array(bytes[10..<12]) == [1, 0])
                try rings[0].offer([.writable(place, Self.bufferSize)])
                notify(0)
                let frame = Array(bytes[12...])
                if isWanted(frame) { return frame }
            }
        }
    }

    /// Sends a command with the control queue and waits for its answer.
    mutating func command(_ bytes: [UInt8], _ fixture: TransportFixture) throws -> UInt8 {
        let memory = rings[control].memory
        try memory.write(bytes + [0xEE], at: GuestAddress(Self.commandBuffer))
        let answer = Self.commandBuffer + UInt64(bytes.count)
        try rings[control].offer([
            .readable(Self.commandBuffer, UInt32(bytes.count)), .writable(answer, 1),
        ])
        notify(control)
        _ = try fixture.waitForUsed(&rings[control], 1)
        return try memory.load(UInt8.self, at: GuestAddress(answer))
    }
}
