import Machine
import Synchronization
import Testing

/// Remembers what it was asked for and answers every read with `answer`.
private final class RecordingDevice: BusDevice {
    struct Access: Equatable {
        var offset: UInt64
        var width: Int
        var value: UInt64
    }

    let answer: UInt64
    let writes = Mutex<[Access]>([])
    let reads = Mutex<[Access]>([])

    init(answer: UInt64) {
        self.answer = answer
    }

    func read(offset: UInt64, width: Int) -> UInt64 {
        reads.withLock { $0.append(Access(offset: offset, width: width, value: answer)) }
        return answer
    }

    func write(offset: UInt64, width: Int, value: UInt64) {
        writes.withLock { $0.append(Access(offset: offset, width: width, value: value)) }
    }
}

@Suite struct IOBusTests {
    @Test func accessReachesTheDeviceWithItsOffset() throws {
        let bus = IOBus()
        let low = RecordingDevice(answer: 0x11)
        let high = RecordingDevice(answer: 0x2222_2222)
        try bus.insert(high, at: 0x200..<0x210)
        try bus.insert(low, at: 0x100..<0x108)

        #expect(bus.read(at: 0x107, width: 1) == 0x11)
        #expect(bus.read(at: 0x20c, width: 4) == 0x2222_2222)
        bus.write(at: 0x204, width: 2, value: 0xdead_beef)

        #expect(low.reads.withLock { $0.map(\.offset) } == [7])
        #expect(high.writes.withLock { $0 } == [.init(offset: 4, width: 2, value: 0xbeef)])
    }

    @Test func valueIsCutToTheWidthOfTheAccess() throws {
        let bus = IOBus()
        try bus.insert(RecordingDevice(answer: .max), at: 0..<8)
        #expect(bus.read(at: 0, width: 1) == 0xff)
        #expect(bus.read(at: 0, width: 2) == 0xffff)
        #expect(bus.read(at: 0, width: 4) == 0xffff_ffff)
        #expect(bus.read(at: 0, width: 8) == .max)
    }

    @Test func unclaimedReadsAreAllOnesAndWritesAreDropped() throws {
        let bus = IOBus()
        let device = RecordingDevice(answer: 0)
        try bus.insert(device, at: 0x10..<0x20)
        #expect(bus.read(at: 0x20, width: 2) == 0xffff)
        #expect(bus.read(at: 0xf, width: 4) == 0xffff_ffff)
        bus.write(at: 0x20, width: 1, value: 1)
        #expect(device.writes.withLock { $0.isEmpty })
    }

    @Test func narrowDeviceAnswersInsideTheReachOfAWideAccess() throws {
        let bus = IOBus()
        let address = RecordingDevice(answer: 0x8000_0000)
        let reset = RecordingDevice(answer: 6)
        try bus.insert(address, at: 0xcf8..<0xcf9)
        try bus.insert(reset, at: 0xcf9..<0xcfa)
        #expect(bus.read(at: 0xcf8, width: 4) == 0x8000_0000)
        #expect(bus.read(at: 0xcf9, width: 1) == 6)
    }

    @Test(arguments: [0x0f..<0x11, 0x10..<0x20, 0x1f..<0x30, 0x00..<0x40, 0x14..<0x15])
    func overlapIsRefusedAndNamesBoth(range: Range<UInt64>) throws {
        let bus = IOBus()
        try bus.insert(RecordingDevice(answer: 0), at: 0x10..<0x20)
        #expect(throws: BusError.overlap(range, with: 0x10..<0x20)) {
            try bus.insert(RecordingDevice(answer: 0), at: range)
        }
    }

    @Test func removedDeviceAnswersNoMore() throws {
        let bus = IOBus()
        try bus.insert(RecordingDevice(answer: 0), at: 0x10..<0x20)
        bus.remove(at: 0x10..<0x1f)
        #expect(bus.read(at: 0x10, width: 1) == 0)
        bus.remove(at: 0x10..<0x20)
        #expect(bus.read(at: 0x10, width: 1) == 0xff)
        try bus.insert(RecordingDevice(answer: 1), at: 0x18..<0x28)
        #expect(bus.read(at: 0x18, width: 1) == 1)
    }
}
