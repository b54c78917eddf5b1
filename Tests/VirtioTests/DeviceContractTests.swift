import LinuxSystem
import Machine
import StateCoding
import Testing

@testable import Virtio

/// How each kind of device is made for these tests. A kind that is not here fails `everyKind…`.
private func makeDevice(_ kind: VirtioDeviceKind) throws -> (any VirtioDevice)? {
    switch kind {
    case .network:
        NetDevice(
            NetConfiguration(
                identifier: "_net0", tap: "nobody-makes-it",
                address: try #require(EthernetAddress("02:00:00:00:00:02"))))
    case .block:
        BlockDevice(BlockConfiguration(identifier: "_disk0", path: "/nonexistent/disk.img"))
    case .console:
        try ConsoleDevice(
            ConsoleConfiguration(
                identifier: "__console", output: .file(path: "/nonexistent/console.log")),
            loop: EventLoop(name: "test"))
    case .entropy:
        EntropyDevice(.init(identifier: "__rng", source: "/nonexistent/source"))
    }
}

/// What holds for every device, whatever its kind.
@Suite struct DeviceContractTests {
    @Test(arguments: VirtioDeviceKind.allCases)
    func everyKindIsMadeUnbound(kind: VirtioDeviceKind) throws {
        let device = try #require(try makeDevice(kind))
        #expect(device.kind == kind)
        #expect(!device.identifier.isEmpty)
        #expect(!device.queueSizes.isEmpty)
        #expect(device.queueSizes.allSatisfy { $0.nonzeroBitCount == 1 && $0 <= 1024 })
        // What is behind it does not even exist, so it was not opened.
        #expect(throws: DeviceError.unbound(device: device.identifier)) { try device.resume() }
    }

    @Test(arguments: VirtioDeviceKind.allCases)
    func driverCanComeBeforeTheBackend(kind: VirtioDeviceKind) throws {
        let fixture = try TransportFixture(try #require(try makeDevice(kind)))
        var rings = fixture.start()
        #expect(fixture.status.contains(.driverOK))
        try rings[0].offer([.writable(0x8000, 16)])
        fixture.notify(0)
        #expect(try rings[0].takeUsed().isEmpty)
        #expect(fixture.events.failures.isEmpty)
    }

    @Test(arguments: VirtioDeviceKind.allCases)
    func stateSurvivesARoundTrip(kind: VirtioDeviceKind) throws {
        let source = try TransportFixture(try #require(try makeDevice(kind)))
        _ = source.start()
        let state = source.save()
        let target = try TransportFixture(
            try #require(try makeDevice(kind)), memory: source.memory)
        try target.load(state)
        #expect(target.save() == state)
        #expect(target.status == source.status)
        #expect(target.doorbells.addresses == source.doorbells.addresses)
    }

    @Test(arguments: VirtioDeviceKind.allCases)
    func cutStateIsRefused(kind: VirtioDeviceKind) throws {
        let source = try TransportFixture(try #require(try makeDevice(kind)))
        _ = source.start()
        let state = source.save()
        for length in stride(from: 0, to: state.count, by: 11) {
            let target = try TransportFixture(
                try #require(try makeDevice(kind)), memory: source.memory)
            #expect(throws: StateError.self) { try target.load(Array(state[..<length])) }
        }
    }

    @Test(arguments: VirtioDeviceKind.allCases)
    func configurationReadsNeverTrap(kind: VirtioDeviceKind) throws {
        let device = try #require(try makeDevice(kind))
        for offset in [0, 1, 7, 0x3C, 0xFFF, Int.max - 8] {
            for width in [1, 2, 4, 8] {
                _ = device.readConfiguration(offset: offset, width: width)
                device.writeConfiguration(offset: offset, width: width, value: .max)
            }
        }
    }

    @Test(arguments: VirtioDeviceKind.allCases)
    func devicesAreFreeAfterTheirMachine(kind: VirtioDeviceKind) throws {
        weak var device: (any VirtioDevice)?
        do {
            let fixture = try TransportFixture(try #require(try makeDevice(kind)))
            device = fixture.transport.device
            _ = fixture.start()
        }
        #expect(device == nil)
    }
}

@Suite struct DeviceFuzzingTests {
    /// A generator with a fixed start, so that a failure can be had again.
    private struct Noise: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ state >> 29
        }
    }

    @Test(arguments: 0..<3 as Range<UInt8>)
    func noiseNeverTraps(kind: UInt8) {
        for seed in 0..<200 as Range<UInt64> {
            var noise = Noise(state: seed)
            let count = Int.random(in: 0..<2048, using: &noise)
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &noise) }
            DeviceFuzzing.run([kind] + bytes)
        }
    }

    @Test func smallNumbersNeverTrap() {
        // Bytes that are mostly small make chains that go somewhere.
        for seed in 0..<300 as Range<UInt64> {
            var noise = Noise(state: seed)
            let bytes = (0..<0x900).map { _ in
                UInt8.random(in: 0...3, using: &noise) == 0
                    ? UInt8.random(in: 0...7, using: &noise) : 0
            }
            DeviceFuzzing.runQueue([0x30, 4, 0, 0, 0, 0, 64, 0] + bytes)
        }
    }

    @Test func damagedStateNeverTraps() throws {
        let file = try TemporaryFile(size: 1 << 16)
        let source = try TransportFixture(
            BlockDevice(
                BlockConfiguration(identifier: "_disk0", path: file.path, queueCount: 2)))
        _ = source.start()
        let state = source.save()
        for offset in state.indices {
            var damaged = state
            damaged[offset] ^= 0xFF
            DeviceFuzzing.runState(damaged)
        }
    }
}
