import GuestMemory
import LinuxSystem
import Testing

@testable import Virtio

@Suite struct BlockDeviceTests {
    private let file: TemporaryFile

    init() throws {
        file = try TemporaryFile(size: 1 << 20)
    }

    private func configuration(
        isReadOnly: Bool = false, isDirect: Bool = false, queueCount: Int = 1
    ) -> BlockConfiguration {
        BlockConfiguration(
            identifier: "_disk0", path: file.path, isReadOnly: isReadOnly, isDirect: isDirect,
            serial: "martlet-serial", queueCount: queueCount)
    }

    private func start(
        _ configuration: BlockConfiguration, features: VirtioFeatures? = nil
    ) throws -> (TransportFixture, DiskDriver) {
        let fixture = try TransportFixture(BlockDevice(configuration))
        try fixture.boot()
        let rings = fixture.start(queueSize: DiskDriver.queueSize, features: features)
        return (fixture, DiskDriver(ring: rings[0]))
    }

    @Test func configurationShowsSizeAndLimits() throws {
        let (fixture, _) = try start(configuration(queueCount: 3))
        #expect(fixture.read(0x2000, 8) == 2048)
        #expect(fixture.read(0x200C, 4) == 126)
        #expect(fixture.read(0x2014, 4) == 512)
        #expect(fixture.read(0x2022, 2) == 3)
        #expect(fixture.read(0x2FFC, 4) == 0)
    }

    @Test func writtenBlocksAreInTheFileAndReadBack() throws {
        var (fixture, driver) = try start(configuration())
        let written = try driver.perform(fixture, 1, sector: 7, writing: stamp(1, count: 1024))
        #expect(written.status == 0)
        #expect(try file.contents(1024, at: 7 * 512) == stamp(1, count: 1024))
        let read = try driver.perform(fixture, 0, sector: 8, room: 512)
        #expect(read.status == 0)
        #expect(read.data == Array(stamp(1, count: 1024)[512...]))
        let counters = Dictionary(
            uniqueKeysWithValues: fixture.transport.device.counters.map { ($0.name, $0.value) })
        #expect(counters["write_bytes"] == 1024)
        #expect(counters["write_ops"] == 1)
        #expect(counters["read_bytes"] == 512)
        #expect(counters["read_ops"] == 1)
        #expect(counters["read_latency_min"] == counters["read_latency_max"])
    }

    @Test func eachQueueIsServed() throws {
        let fixture = try TransportFixture(BlockDevice(configuration(queueCount: 2)))
        try fixture.boot()
        var driver = DiskDriver(ring: fixture.start(queueSize: 16)[1])
        let slot = try driver.stage(1, sector: 0, writing: stamp(5))
        try driver.ring.publish()
        fixture.notify(1)
        try fixture.chip.waitForSignal(vector: 1)
        _ = try fixture.waitForUsed(&driver.ring, 1)
        #expect(try driver.status(of: slot) == 0)
    }

    @Test func serialIsToldInTwentyBytes() throws {
        var (fixture, driver) = try start(configuration())
        let answer = try driver.perform(fixture, 8, room: 20)
        #expect(answer.status == 0)
        #expect(answer.data == Array("martlet-serial".utf8) + [0, 0, 0, 0, 0, 0])
    }

    @Test func flushSucceedsAndUnknownRequestsAreUnsupported() throws {
        var (fixture, driver) = try start(configuration())
        #expect(try driver.perform(fixture, 4).status == 0)
        #expect(try driver.perform(fixture, 99, room: 512).status == 2)
    }

    @Test(
        arguments: [
            (2048, 512), (2047, 1024), (1 << 55, 512), (.max, 512), (0, 100),
        ] as [(UInt64, Int)])
    func transfersOutsideTheDiskFail(sector: UInt64, count: Int) throws {
        var (fixture, driver) = try start(configuration())
        #expect(try driver.perform(fixture, 0, sector: sector, room: count).status == 1)
        let written = try driver.perform(
            fixture, 1, sector: sector, writing: [UInt8](repeating: 1, count: count))
        #expect(written.status == 1)
        #expect(try file.descriptor.storageSize == 1 << 20)
    }

    @Test func readOnlyDiskTellsSoAndRefusesWrites() throws {
        var (fixture, driver) = try start(configuration(isReadOnly: true))
        fixture.write(0, 4, 0)
        #expect(fixture.read(4, 4) & 1 << 5 != 0)
        #expect(try driver.perform(fixture, 1, writing: stamp(1)).status == 1)
        #expect(try driver.perform(fixture, 4).status == 0)
        #expect(try driver.perform(fixture, 0, room: 512).status == 0)
    }

    @Test func requestWithoutHeaderNeedsAReset() throws {
        var (fixture, driver) = try start(configuration())
        try driver.ring.offer([.writable(0x8000, 512)])
        fixture.notify(0)
        try fixture.chip.waitForSignal(vector: 1)
        #expect(fixture.status.contains(.needsReset))
        #expect(fixture.events.failures.count == 1)
    }

    @Test func shrunkenImageFailsTheRequestAndIsReportedSparingly() throws {
        var (fixture, driver) = try start(configuration())
        try file.descriptor.truncate(to: 4096)
        for _ in 0..<5 {
            #expect(try driver.perform(fixture, 0, sector: 100, room: 512).status == 1)
        }
        let reports = fixture.events.all.filter {
            if case .backendFailed = $0 { true } else { false }
        }
        #expect(reports.count == 3)
        #expect(try driver.perform(fixture, 0, sector: 0, room: 512).status == 0)
    }

    @Test(.enabled(if: Self.canBeDirect, "needs a file system with direct access"))
    func directAccessBouncesUnalignedBuffers() throws {
        var (fixture, driver) = try start(configuration(isDirect: true))
        let block = Int(fixture.read(0x2014, 4))
        for skew in [0, 3] as [UInt64] {
            let bytes = stamp(Int(skew) + 40, count: block)
            let written = try driver.perform(fixture, 1, sector: 8, writing: bytes, skew: skew)
            #expect(written.status == 0)
            #expect(try file.contents(block, at: 4096) == bytes)
            let read = try driver.perform(fixture, 0, sector: 8, room: block, skew: skew)
            #expect(read.status == 0)
            #expect(read.data == bytes)
        }
    }

    private static let canBeDirect: Bool = {
        do {
            let file = try TemporaryFile(size: 4096)
            _ = try OwnedDescriptor(opening: file.path, .direct)
            return true
        } catch {
            return false
        }
    }()
}

@Suite struct BlockBindingTests {
    @Test(arguments: [
        ("/nonexistent/disk.img", "/nonexistent/disk.img"),
        ("/tmp", "no disk image"),
        ("/dev/null", "no disk image"),
        ("/sys/kernel/uevent_seqnum", "readonly=on"),
    ])
    func pathThatIsNoImageIsNamed(path: String, expected: String) throws {
        let device = BlockDevice(BlockConfiguration(identifier: "_disk0", path: path))
        let error = #expect(throws: DeviceError.self) { try device.bind() }
        #expect(error?.description.contains(path) == true)
        #expect(error?.description.contains(expected) == true)
    }

    /// Cut to whole blocks, the disk would lack the end of the image.
    @Test(arguments: [
        (0, "is empty"), (1, "truncate -s %512"), (1000, "1000 bytes"), (1025, "512"),
    ])
    func imageThatEndsWithinABlockIsRefused(size: Int, expected: String) throws {
        let file = try TemporaryFile(size: size)
        for isReadOnly in [false, true] {
            let device = BlockDevice(
                BlockConfiguration(
                    identifier: "_disk0", path: file.path, isReadOnly: isReadOnly))
            let error = #expect(throws: DeviceError.self) { try device.bind() }
            let text = try #require(error).description
            #expect(text.contains("_disk0: \(file.path)") && text.contains(expected))
        }
    }

    @Test func directoryIsNoImageAlsoForReading() throws {
        let device = BlockDevice(
            BlockConfiguration(identifier: "_disk0", path: "/tmp", isReadOnly: true))
        #expect(throws: DeviceError.notAnImage(device: "_disk0", path: "/tmp")) {
            try device.bind()
        }
    }

    private func bound(_ path: String, isReadOnly: Bool = false) throws -> BlockDevice {
        let device = BlockDevice(
            BlockConfiguration(identifier: "_disk0", path: path, isReadOnly: isReadOnly))
        try device.bind()
        return device
    }

    @Test func imageBelongsToOneWriter() throws {
        let file = try TemporaryFile(size: 4096)
        let first = try bound(file.path)
        try first.takeOver(nil)
        for isReadOnly in [false, true] {
            let second = try bound(file.path, isReadOnly: isReadOnly)
            let error = #expect(throws: DeviceError.self) { try second.takeOver(nil) }
            guard case .imageLocked(_, file.path, _) = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(error?.description.contains("readonly=on") == true)
        }
    }

    @Test func readersShareTheImage() throws {
        let file = try TemporaryFile(size: 4096)
        let first = try bound(file.path, isReadOnly: true)
        try first.takeOver(nil)
        let second = try bound(file.path, isReadOnly: true)
        try second.takeOver(nil)
        let writer = try bound(file.path)
        #expect(throws: DeviceError.self) { try writer.takeOver(nil) }
    }

    @Test func releasedImageCanBeTakenAndComesBackAfterLettingGo() throws {
        let file = try TemporaryFile(size: 4096)
        let source = try bound(file.path)
        try source.takeOver(nil)
        let destination = try bound(file.path)
        let state = try source.release()
        try destination.takeOver(state)
        #expect(throws: DeviceError.self) { try source.reclaim() }
        destination.letGo()
        try source.reclaim()
        #expect(throws: DeviceError.self) { try bound(file.path).takeOver(nil) }
    }

    @Test func preparingForReleaseKeepsTheImage() throws {
        let file = try TemporaryFile(size: 4096)
        let source = try bound(file.path)
        try source.takeOver(nil)
        source.prepareRelease()
        #expect(throws: DeviceError.self) { try bound(file.path).takeOver(nil) }
    }

    @Test func imageOfAnotherSizeIsRefusedAtTheDestination() throws {
        let file = try TemporaryFile(size: 1 << 20)
        let source = try TransportFixture(
            BlockDevice(BlockConfiguration(identifier: "_disk0", path: file.path)))
        try source.boot()
        let state = source.save()
        let other = try TemporaryFile(size: 1 << 19)
        let device = BlockDevice(BlockConfiguration(identifier: "_disk0", path: other.path))
        let target = try TransportFixture(device)
        try target.load(state)
        #expect(
            throws: DeviceError.imageSize(
                device: "_disk0", path: other.path, expected: 1 << 20, actual: 1 << 19)
        ) { try device.bind() }
    }
}

@Suite struct BlockMoveTests {
    /// A disk is taken from device to device while requests are under way. Each request is done
    /// exactly once, whichever device does it.
    @Test func noRequestIsLostOrRepeated() throws {
        let requestCount = 1000
        let file = try TemporaryFile(size: requestCount * 512)
        let configuration = BlockConfiguration(identifier: "_disk0", path: file.path)
        let memory = try DriverRing.memory()
        var fixture = try TransportFixture(BlockDevice(configuration), memory: memory)
        try fixture.boot()
        var driver = DiskDriver(ring: fixture.start(queueSize: DiskDriver.queueSize)[0])
        var operations: UInt64 = 0
        var returned = 0
        var done = 0
        while done < requestCount {
            let batch = min(DiskDriver.slotCount, requestCount - done)
            var slots: [Int] = []
            for number in done..<(done + batch) {
                slots.append(
                    try driver.stage(1, sector: UInt64(number), writing: stamp(number)))
            }
            try driver.ring.publish()
            fixture.notify(0)

            fixture.transport.device.quiesce()
            let atRest = try driver.ring.takeUsed()
            let state = fixture.save()
            let backendState = try fixture.transport.device.release()
            operations += writeCount(fixture)
            let next = try TransportFixture(BlockDevice(configuration), memory: memory)
            try next.load(state)
            try next.transport.device.bind()
            try next.transport.device.takeOver(backendState)
            try next.transport.device.resume()
            fixture = next

            let rest = try fixture.waitForUsed(&driver.ring, batch - atRest.count)
            returned += atRest.count + rest.count
            for slot in slots { #expect(try driver.status(of: slot) == 0) }
            done += batch
        }
        operations += writeCount(fixture)
        #expect(returned == requestCount)
        #expect(operations == UInt64(requestCount))
        for number in 0..<requestCount {
            let contents = try file.contents(512, at: number * 512)
            #expect(contents == stamp(number))
        }
    }

    @Test func requestsWaitWhileTheDeviceStandsStill() throws {
        let file = try TemporaryFile(size: 1 << 20)
        let fixture = try TransportFixture(
            BlockDevice(BlockConfiguration(identifier: "_disk0", path: file.path)))
        try fixture.boot()
        var driver = DiskDriver(ring: fixture.start(queueSize: DiskDriver.queueSize)[0])
        fixture.transport.device.quiesce()
        let slot = try driver.stage(1, sector: 3, writing: stamp(9))
        try driver.ring.publish()
        fixture.notify(0)
        #expect(try file.contents(512, at: 3 * 512) == [UInt8](repeating: 0, count: 512))
        try fixture.transport.device.resume()
        _ = try fixture.waitForUsed(&driver.ring, 1)
        #expect(try driver.status(of: slot) == 0)
        #expect(try file.contents(512, at: 3 * 512) == stamp(9))
    }

    private func writeCount(_ fixture: TransportFixture) -> UInt64 {
        fixture.transport.device.counters.first { $0.name == "write_ops" }?.value ?? 0
    }
}
