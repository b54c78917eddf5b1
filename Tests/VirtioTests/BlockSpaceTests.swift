import GuestMemory
import LinuxSystem
import Testing

@testable import Virtio

/// Space that a guest gives back, and disks that get another size.
@Suite struct BlockSpaceTests {
    private let file: TemporaryFile
    private let bytes = [UInt8](repeating: 0xAB, count: 1 << 20)

    init() throws {
        file = try TemporaryFile(size: 0)
        try file.descriptor.writeAll(bytes)
        try file.descriptor.synchronizeData()
    }

    private func start(
        _ change: (inout BlockConfiguration) -> Void = { _ in }
    ) throws -> (TransportFixture, BlockDevice, DiskDriver) {
        var configuration = BlockConfiguration(identifier: "_disk0", path: file.path)
        change(&configuration)
        let device = BlockDevice(configuration)
        let fixture = try TransportFixture(device)
        try fixture.boot()
        return (fixture, device, DiskDriver(ring: fixture.start(queueSize: 64)[0]))
    }

    private func segment(_ sector: UInt64, _ count: UInt32, flags: UInt32 = 0) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: sector >> (8 * $0)) }
            + (0..<4).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) }
            + (0..<4).map { UInt8(truncatingIfNeeded: flags >> (8 * $0)) }
    }

    private let discard: UInt32 = 11
    private let writeZeroes: UInt32 = 13

    @Test func limitsAreInTheConfiguration() throws {
        let (fixture, device, _) = try start()
        #expect(device.features.rawValue >> 13 & 3 == 3)
        #expect(fixture.read(0x2000 + 36, 4) == UInt64(BlockRequest.maximumRangeSectors))
        #expect(fixture.read(0x2000 + 40, 4) == 1)
        #expect(fixture.read(0x2000 + 44, 4) == 8)
        #expect(fixture.read(0x2000 + 48, 4) == UInt64(BlockRequest.maximumRangeSectors))
        #expect(fixture.read(0x2000 + 56, 1) == 1)
        // Blocks of 4 KiB behind sectors of 512 bytes.
        #expect(fixture.read(0x2000 + 24, 1) == 3)
        #expect(fixture.read(0x2000 + 26, 2) == 8)
    }

    @Test func discardedRangeReadsAsZerosAndTheRestStays() throws {
        var (fixture, _, driver) = try start()
        #expect(try driver.perform(fixture, discard, writing: segment(8, 16)).status == 0)
        #expect(try file.contents(8192, at: 4096) == [UInt8](repeating: 0, count: 8192))
        #expect(try file.contents(4096, at: 0) == Array(bytes[..<4096]))
        #expect(try file.contents(4096, at: 12288) == Array(bytes[..<4096]))
    }

    @Test(arguments: [0, 1] as [UInt32])
    func zeroedRangeReadsAsZeros(flags: UInt32) throws {
        var (fixture, _, driver) = try start()
        #expect(
            try driver.perform(fixture, writeZeroes, writing: segment(9, 3, flags: flags)).status
                == 0)
        #expect(try file.contents(1536, at: 9 * 512) == [UInt8](repeating: 0, count: 1536))
        #expect(try file.contents(9 * 512, at: 0) == Array(bytes[..<(9 * 512)]))
        #expect(try file.contents(512, at: 12 * 512) == Array(bytes[..<512]))
    }

    @Test func rangesThatCannotBeAreRefused() throws {
        var (fixture, _, driver) = try start()
        let refused: [(UInt32, [UInt8], UInt8)] = [
            (discard, segment(2048, 1), 1), (discard, segment(2047, 2), 1),
            (discard, segment(.max, 1), 1), (discard, segment(0, .max), 1),
            (writeZeroes, segment(.max, .max), 1), (writeZeroes, segment(1 << 55, 8), 1),
            (discard, segment(0, 8) + segment(8, 8), 1), (discard, [1, 2, 3], 1), (discard, [], 1),
            (discard, segment(0, 8, flags: 1), 2), (writeZeroes, segment(0, 8, flags: 2), 2),
        ]
        for (type, data, status) in refused {
            #expect(try driver.perform(fixture, type, writing: data).status == status)
        }
        #expect(try file.contents(1 << 20, at: 0) == bytes)
        #expect(try file.descriptor.storageSize == 1 << 20)
    }

    @Test func readOnlyDiskGivesNothingBack() throws {
        var (fixture, device, driver) = try start { $0.isReadOnly = true }
        #expect(device.features.rawValue >> 13 & 3 == 0)
        #expect(try driver.perform(fixture, discard, writing: segment(0, 8)).status == 1)
        #expect(try driver.perform(fixture, writeZeroes, writing: segment(0, 8)).status == 1)
        #expect(try file.contents(4096, at: 0) == Array(bytes[..<4096]))
    }

    @Test func sparseOffIsNotOffered() throws {
        let (_, device, _) = try start { $0.isSparse = false }
        #expect(device.features.rawValue >> 13 & 3 == 0)
    }

    @Test func largerDiskIsSeenAndUsed() throws {
        var (fixture, device, driver) = try start()
        #expect(try driver.perform(fixture, 1, sector: 2048, writing: stamp(1)).status == 1)
        try device.resize(to: 2 << 20)
        #expect(try file.descriptor.storageSize == 2 << 20)
        #expect(fixture.read(0x2000, 8) == 4096)
        #expect(try driver.perform(fixture, 1, sector: 4095, writing: stamp(1)).status == 0)
        #expect(try file.contents(512, at: 4095 * 512) == stamp(1))
    }

    @Test func smallerDiskRefusesWhatIsBehindItsEnd() throws {
        var (fixture, device, driver) = try start()
        try device.resize(to: 4096)
        #expect(try driver.perform(fixture, 1, sector: 8, writing: stamp(1)).status == 1)
        #expect(try driver.perform(fixture, 0, sector: 7, room: 512).status == 0)
        #expect(try file.descriptor.storageSize == 4096)
    }

    @Test func newSizeTravelsWithTheState() throws {
        let (fixture, device, _) = try start()
        try device.resize(to: 3 << 20)
        let next = BlockDevice(BlockConfiguration(identifier: "_disk0", path: file.path))
        let target = try TransportFixture(next)
        try target.load(fixture.save())
        try next.bind()
        #expect(target.read(0x2000, 8) == 6144)
    }

    @Test(arguments: [0, 1000, .max] as [UInt64])
    func sizeThatCannotBeIsRefused(size: UInt64) throws {
        var (fixture, device, driver) = try start()
        let error = try #require(throws: DeviceError.self) { try device.resize(to: size) }
        #expect("\(error)".contains("_disk0") && "\(error)".contains("\(size)"))
        #expect(try file.descriptor.storageSize == 1 << 20)
        #expect(try driver.perform(fixture, 0, sector: 0, room: 512).status == 0)
    }

    @Test func readOnlyAndUnboundDisksAreNotResized() throws {
        let (_, device, _) = try start { $0.isReadOnly = true }
        #expect(throws: DeviceError.self) { try device.resize(to: 2 << 20) }
        let unbound = BlockDevice(BlockConfiguration(identifier: "_disk0", path: file.path))
        #expect(throws: DeviceError.unbound(device: "_disk0")) { try unbound.resize(to: 512) }
    }
}
