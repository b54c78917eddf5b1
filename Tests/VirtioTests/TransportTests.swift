import GuestMemory
import LinuxSystem
import Machine
import StateCoding
import Testing

@testable import Virtio

private func makeFixture() throws -> TransportFixture {
    try TransportFixture(EntropyDevice(.init(identifier: "_rng")))
}

@Suite struct TransportTests {
    @Test func functionIsAModernVirtioDevice() throws {
        let fixture = try makeFixture()
        #expect(fixture.configuration(0, 4) == 0x1044_1AF4)
        #expect(fixture.configuration(0x08, 1) == 1)
        let kinds = fixture.capabilities(0x09).map { fixture.configuration($0 + 3, 1) }
        #expect(kinds == [1, 2, 3, 4, 5])
        let notify = try #require(fixture.capabilities(0x09).dropFirst().first)
        #expect(fixture.configuration(notify + 8, 4) == 0x3000)
        #expect(fixture.configuration(notify + 16, 4) == 4)
    }

    @Test func driverAndDeviceAgreeOnFeatures() throws {
        let fixture = try makeFixture()
        fixture.negotiate()
        #expect(fixture.status == [.acknowledge, .driver, .featuresOK])
    }

    @Test(arguments: [VirtioFeatures.indirectDescriptors, [.version1, VirtioFeatures(bit: 40)]])
    func deviceDoesNotAgreeToOtherFeatures(features: VirtioFeatures) throws {
        let fixture = try makeFixture()
        fixture.negotiate(features)
        #expect(fixture.status == [.acknowledge, .driver])
    }

    @Test func startWithoutFeaturesNeedsAReset() throws {
        let fixture = try makeFixture()
        fixture.enableMemory()
        fixture.write(0x14, 1, 7)
        #expect(fixture.status.contains(.needsReset))
        fixture.write(0x14, 1, 0)
        #expect(fixture.status == [])
    }

    @Test func queueThatIsNoQueueNeedsAReset() throws {
        let fixture = try makeFixture()
        fixture.negotiate()
        fixture.setQueue(0, DriverRing.layout(at: 0x4000_0000, size: 8))
        #expect(fixture.status.contains(.needsReset))
        #expect(fixture.events.failures.count == 1)
        #expect(fixture.read(0x1C, 2) == 0)
    }

    @Test func queueThatDoesNotExistReadsAsZero() throws {
        let fixture = try makeFixture()
        fixture.negotiate()
        fixture.setQueue(7, DriverRing.layout(at: 0x1000, size: 8))
        #expect(fixture.read(0x18, 2) == 0)
        #expect(fixture.read(0x20, 8) == 0)
    }

    @Test func vectorThatDoesNotExistReadsAsNone() throws {
        let fixture = try makeFixture()
        fixture.negotiate()
        fixture.write(0x16, 2, 0)
        fixture.write(0x1A, 2, 2)
        #expect(fixture.read(0x1A, 2) == 0xFFFF)
        fixture.write(0x1A, 2, 1)
        #expect(fixture.read(0x1A, 2) == 1)
    }

    @Test func doorbellsFollowTheRange() throws {
        let fixture = try makeFixture()
        #expect(fixture.doorbells.addresses.isEmpty)
        fixture.enableMemory()
        #expect(fixture.doorbells.addresses == [0xC000_3000])
        fixture.setConfiguration(0x10, 4, 0xD000_0000)
        #expect(fixture.doorbells.addresses == [0xD000_3000])
        fixture.setConfiguration(0x04, 2, 0)
        #expect(fixture.doorbells.addresses.isEmpty)
    }

    @Test func rangeIsReachedThroughConfigurationSpace() throws {
        let fixture = try makeFixture()
        let access = try #require(fixture.capabilities(0x09).last)
        fixture.setConfiguration(access + 8, 4, 0x14)
        fixture.setConfiguration(access + 12, 4, 1)
        fixture.setConfiguration(access + 16, 1, 1)
        #expect(fixture.configuration(access + 16, 4) == 1)
        fixture.setConfiguration(access + 8, 4, 0xFFFF_FFFC)
        fixture.setConfiguration(access + 12, 4, 4)
        #expect(fixture.configuration(access + 16, 4) == 0)
    }

    @Test func resetForgetsTheDriver() throws {
        let fixture = try makeFixture()
        try fixture.boot()
        _ = fixture.start()
        #expect(fixture.status.contains(.driverOK))
        fixture.write(0x14, 1, 0)
        fixture.write(0x16, 2, 0)
        #expect(fixture.status == [])
        #expect(fixture.read(0x1C, 2) == 0)
        #expect(fixture.read(0x1A, 2) == 0xFFFF)
        #expect(fixture.events.all == [.activated, .reset])
        let isInUse = fixture.transport.queues[0].isEnabled
        #expect(!isInUse)
    }

    @Test func hostileRingStopsTheDeviceAndTellsTheDriver() throws {
        let fixture = try makeFixture()
        try fixture.boot()
        var rings = fixture.start()
        try rings[0].offer([.writable(0x4000_0000, 16)])
        fixture.notify(0)
        try fixture.chip.waitForSignal(vector: 1)
        #expect(fixture.status.contains(.needsReset))
        #expect(fixture.events.failures.count == 1)
        #expect(fixture.events.failures.first?.hasPrefix("Queue 0: ") == true)
    }

    @Test func repeatedFaultsAreReportedSparingly() throws {
        let fixture = try makeFixture()
        for _ in 0..<20 {
            fixture.negotiate()
            fixture.setQueue(0, DriverRing.layout(at: 0x4000_0000, size: 8))
            #expect(fixture.status.contains(.needsReset))
        }
        #expect(fixture.events.failures.count == 5)
    }

    @Test func deviceWorksAgainAfterTheReset() throws {
        let fixture = try makeFixture()
        try fixture.boot()
        var rings = fixture.start()
        try rings[0].offer([.writable(0x4000_0000, 16)])
        fixture.notify(0)
        try fixture.chip.waitForSignal(vector: 1)

        fixture.write(0x14, 1, 0)
        let empty = [UInt8](repeating: 0, count: 0x4000)
        try fixture.memory.write(empty, at: GuestAddress(0x1_0000))
        rings = fixture.start()
        try rings[0].offer([.writable(0x8000, 16)])
        fixture.notify(0)
        #expect(try fixture.waitForUsed(&rings[0], 1) == [.init(head: 0, written: 16)])
    }

    @Test func stateWithFeaturesNotOfferedHereIsRefused() throws {
        let fixture = try makeFixture()
        _ = fixture.start()
        let target = try makeFixture()
        var state = fixture.save()
        let offset = try #require(state.firstRange(of: Array("virtio-pci".utf8))).upperBound
        // Version, length, status and the two selections come before the driver's features.
        state[offset + 2 + 8 + 1 + 8 + 5] |= 0x80
        #expect(throws: StateError.self) { try target.load(state) }
    }
}

@Suite struct EntropyDeviceTests {
    @Test func requestIsFilledAndSignalled() throws {
        let fixture = try makeFixture()
        try fixture.boot()
        var rings = fixture.start()
        try rings[0].offer([.writable(0x8000, 64), .writable(0x9000, 64)])
        fixture.notify(0)
        try fixture.chip.waitForSignal(vector: 0)
        #expect(try rings[0].takeUsed() == [.init(head: 0, written: 128)])
        #expect(try fixture.memory.read(at: GuestAddress(0x9000), count: 64).contains { $0 != 0 })
        #expect(fixture.transport.device.counters == [DeviceCounter("read_bytes", 128)])
    }

    @Test func hugeRequestIsAnsweredInPart() throws {
        let fixture = try makeFixture()
        try fixture.boot()
        var rings = fixture.start()
        try rings[0].offer([.writable(0x8_0000, 0x4_0000)])
        fixture.notify(0)
        #expect(
            try fixture.waitForUsed(&rings[0], 1)
                == [.init(head: 0, written: UInt32(EntropyDevice.maximumRequest))])
    }

    @Test func missingSourceIsNamed() throws {
        let device = EntropyDevice(.init(identifier: "_rng", source: "/nonexistent/source"))
        let error = #expect(throws: DeviceError.self) { try device.bind() }
        #expect(error?.description.contains("/nonexistent/source") == true)
        #expect(throws: DeviceError.unbound(device: "_rng")) { try device.resume() }
    }
}
