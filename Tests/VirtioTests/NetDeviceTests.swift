import GuestMemory
import LinuxSystem
import StateCoding
import Testing

@testable import Virtio

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
        let fixture = try TransportFixture(NetDevice(try netConfiguration(queuePairs: 2)))
        fixture.enableMemory()
        #expect(fixture.read(0x2000, 4) == 0x0000_0002)
        #expect(fixture.read(0x2004, 2) == 0x0200)
        #expect(fixture.read(0x2006, 2) == 1)
        #expect(fixture.read(0x2008, 2) == 2)
        #expect(fixture.read(0x200A, 2) == 1400)
        #expect(fixture.read(0x12, 2) == 5)
    }

    @Test func offloadsThatAreOffAreNotOffered() throws {
        let with = try netConfiguration().features(segmentsDatagrams: true)
        let without = try netConfiguration(offloads: false).features(segmentsDatagrams: true)
        let offloads: VirtioFeatures = [
            NetFeature.checksum, NetFeature.guestChecksum, NetFeature.guestSegmentation4,
            NetFeature.hostSegmentation4, NetFeature.guestFragmentation,
            NetFeature.hostDatagramSegmentation, NetFeature.guestOffloads,
        ]
        #expect(with.isSuperset(of: offloads))
        #expect(without.isDisjoint(with: offloads))
        let older = try netConfiguration().features(segmentsDatagrams: false)
        #expect(
            older.symmetricDifference(with) == [
                NetFeature.hostDatagramSegmentation, NetFeature.guestDatagramSegmentation4,
                NetFeature.guestDatagramSegmentation6,
            ])
    }

    @Test func tapLeavesToTheDriverWhatItAgreedTo() {
        #expect(VirtioFeatures([.version1]).tapOffloads == [])
        #expect(VirtioFeatures([NetFeature.guestSegmentation4]).tapOffloads == [])
        #expect(
            VirtioFeatures([NetFeature.guestChecksum, NetFeature.guestSegmentation6]).tapOffloads
                == [.checksum, .segmentation6])
        let half: VirtioFeatures = [
            NetFeature.guestChecksum, NetFeature.guestDatagramSegmentation4,
        ]
        #expect(half.tapOffloads == .checksum)
        #expect(
            half.union([NetFeature.guestDatagramSegmentation6]).tapOffloads
                == [.checksum, .datagramSegmentation])
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
        let device = NetDevice(try netConfiguration())
        #expect(throws: DeviceError.self) { try device.takeOver([1, 2, 3]) }
        var writer = StateWriter()
        writer.append(TapState(name: "a-name-that-is-too-long", isCreated: true))
        #expect(throws: DeviceError.self) { try device.takeOver(writer.bytes) }
    }
}

/// Each test runs on a thread in a network namespace of its own.
@Suite(.enabled(if: canMakeTaps, "needs /dev/net/tun and root"))
struct NetDeviceTests {
    @Test func framesGoBothWays() throws {
        try inNamespace {
            let fixture = try TransportFixture(NetDevice(try netConfiguration()))
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
            let fixture = try TransportFixture(NetDevice(try netConfiguration()))
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
            let fixture = try TransportFixture(NetDevice(try netConfiguration()))
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
            let device = NetDevice(try netConfiguration())
            try device.takeOver(nil)
            #expect(try NetworkInterface(name: "guest0").maximumTransmissionUnit == 1400)
            device.letGo()
            #expect(throws: SystemError.self) {
                try NetworkInterface(name: "guest0").maximumTransmissionUnit
            }
        }
    }

    @Test func createdTapIsSetUpAsConfigured() throws {
        try inNamespace {
            var configuration = try netConfiguration()
            configuration.hostEthernetAddress = EthernetAddress("02:00:00:00:00:77")
            let fixture = try TransportFixture(NetDevice(configuration))
            try fixture.boot()
            var driver = try NetDriver(fixture)
            try driver.offerBuffers(32)
            try driver.send(askForHost)
            let answer = try driver.receive(fixture) { isAnswerOfHost($0) }
            #expect(Array(answer[6..<12]) == [2, 0, 0, 0, 0, 0x77])
            #expect(try NetworkInterface(name: "guest0").maximumTransmissionUnit == 1400)
        }
    }

    @Test func tapThatWasThereStays() throws {
        try inNamespace {
            try Tap(name: "guest0").setPersistent(true)
            let device = NetDevice(try netConfiguration())
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
            let device = NetDevice(try netConfiguration())
            let error = #expect(throws: DeviceError.self) { try device.takeOver(nil) }
            #expect(error?.description.contains("tap \(tap.interface.name)") == true)
        }
    }

    @Test func guestIsReachedAfterEachMove() throws {
        try inNamespace {
            let memory = try DriverRing.memory()
            var fixture = try TransportFixture(NetDevice(try netConfiguration()), memory: memory)
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
                let next = try TransportFixture(NetDevice(try netConfiguration()), memory: memory)
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
            let source = NetDevice(try netConfiguration(tap: nil))
            try source.takeOver(nil)
            let state = try source.release()
            let destination = NetDevice(try netConfiguration(tap: nil))
            try destination.takeOver(state)
            #expect(throws: DeviceError.self) { try source.reclaim() }
            destination.letGo()
            try source.reclaim()
            try source.resume()
            source.letGo()
        }
    }

    @Test func queuePairsAreSwitchedOn() throws {
        try inNamespace {
            let fixture = try TransportFixture(NetDevice(try netConfiguration(queuePairs: 2)))
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
}
