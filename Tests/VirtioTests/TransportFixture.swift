import GuestMemory
import LinuxSystem
import Machine
import StateCoding
import Synchronization
import Testing

@testable import Virtio

/// Counts the interrupts that would reach the guest.
final class CountingChip: InterruptChip {
    private final class Attached: Sendable {
        let event: EventDescriptor
        init(_ event: consuming EventDescriptor) { self.event = event }
    }

    private let events = Mutex<[UInt32: Attached]>([:])

    func setRoutes(_ routes: [InterruptRoute]) throws(SystemError) {}

    func attach(_ event: borrowing EventDescriptor, to gsi: UInt32) throws(SystemError) {
        let attached = try Attached(EventDescriptor(adopting: event.descriptor.duplicate()))
        events.withLock { $0[gsi] = attached }
    }

    func detach(_ event: borrowing EventDescriptor, from gsi: UInt32) throws(SystemError) {
        events.withLock { $0[gsi] = nil }
    }

    /// How often the vector was raised since the last call.
    func takeSignals(vector: UInt32) -> UInt64 {
        events.withLock { $0[InterruptRouter.lineCount + vector] }?.event.drain() ?? 0
    }

    /// Waits until the vector is raised.
    func waitForSignal(vector: UInt32) throws {
        let event = try #require(events.withLock { $0[InterruptRouter.lineCount + vector] })
        try event.event.wait(deadline: .after(milliseconds: 120_000))
    }
}

/// Remembers where doorbells are, and rings them as KVM would.
final class RecordingDoorbells: DoorbellController {
    let attached = Mutex<Set<Doorbell>>([])

    func attach(
        _ event: borrowing EventDescriptor, to doorbell: Doorbell
    ) throws(SystemError) {
        attached.withLock { _ = $0.insert(doorbell) }
    }

    func detach(
        _ event: borrowing EventDescriptor, from doorbell: Doorbell
    ) throws(SystemError) {
        attached.withLock { _ = $0.remove(doorbell) }
    }

    var addresses: [UInt64] { attached.withLock { $0.map(\.address).sorted() } }
}

/// One virtio device on a PCI bus, driven as a guest drives it.
final class TransportFixture {
    static let window: Range<UInt64> = 0xC000_0000..<0xE000_0000

    let memory: GuestRAM
    let chip = CountingChip()
    let doorbells = RecordingDoorbells()
    let mmio = IOBus()
    let bus: PCIBus
    let transport: VirtioPCITransport
    let events = EventLog()

    /// Collects what the device reports.
    final class EventLog: Sendable {
        private let events = Mutex<[DeviceEvent]>([])
        func append(_ event: DeviceEvent) { events.withLock { $0.append(event) } }
        func removeAll() { events.withLock { $0 = [] } }
        var all: [DeviceEvent] { events.withLock { $0 } }
        var failures: [String] {
            all.compactMap { if case .failed(let reason) = $0 { reason } else { nil } }
        }
    }

    init(_ device: any VirtioDevice, memory: GuestRAM? = nil) throws {
        self.memory = try memory ?? DriverRing.memory()
        bus = PCIBus(memory: mmio, windows: [Self.window])
        let events = events
        transport = try VirtioPCITransport(
            device: device, memory: self.memory, router: InterruptRouter(chip: chip),
            doorbells: Doorbells(controller: doorbells)
        ) { events.append($0) }
        try bus.insert(transport)
    }

    deinit {
        transport.device.letGo()
        bus.removeAll()
    }

    let base: UInt64 = 0xC000_0000

    func read(_ offset: UInt64, _ width: Int) -> UInt64 {
        mmio.read(at: base + offset, width: width)
    }

    func write(_ offset: UInt64, _ width: Int, _ value: UInt64) {
        mmio.write(at: base + offset, width: width, value: value)
    }

    var status: DeviceStatus { DeviceStatus(rawValue: UInt8(read(0x14, 1))) }

    func configuration(_ offset: Int, _ width: Int) -> UInt32 {
        bus.readConfiguration(PCIAddress(device: 1), offset: offset, width: width)
    }

    func setConfiguration(_ offset: Int, _ width: Int, _ value: UInt32) {
        bus.writeConfiguration(PCIAddress(device: 1), offset: offset, width: width, value: value)
    }

    /// The offsets of capabilities of one identifier.
    func capabilities(_ identifier: UInt32) -> [Int] {
        var found: [Int] = []
        var offset = Int(configuration(0x34, 1))
        while offset != 0, found.count < 48 {
            if configuration(offset, 1) == identifier { found.append(offset) }
            offset = Int(configuration(offset + 1, 1))
        }
        return found
    }

    func enableMemory() { setConfiguration(0x04, 2, 0x6) }

    /// All vectors unmasked.
    func enableVectors() {
        for vector in 0..<UInt64(transport.queues.count + 1) {
            write(0x4000 + 16 * vector, 4, 0xFEE0_0000)
            write(0x4008 + 16 * vector, 4, 0x40 + vector)
            write(0x400C + 16 * vector, 4, 0)
        }
        setConfiguration((capabilities(0x11).first ?? 0) + 2, 2, 0x8000)
    }

    /// Acknowledges the device and agrees on all features it offers, or on some of them.
    func negotiate(_ features: VirtioFeatures? = nil) {
        enableMemory()
        write(0x14, 1, 0)
        write(0x14, 1, 1)
        write(0x14, 1, 3)
        for half in 0..<UInt64(2) {
            write(0x00, 4, half)
            let offered = read(0x04, 4)
            let wanted = features.map { $0.rawValue >> (32 * half) & 0xFFFF_FFFF } ?? offered
            write(0x08, 4, half)
            write(0x0C, 4, wanted)
        }
        write(0x14, 1, 0xB)
    }

    func setQueue(_ index: Int, _ layout: VirtqueueLayout) {
        write(0x16, 2, UInt64(index))
        write(0x18, 2, UInt64(layout.size))
        write(0x1A, 2, UInt64(index))
        write(0x20, 8, layout.descriptorTable.rawValue)
        write(0x28, 4, layout.availableRing.rawValue & 0xFFFF_FFFF)
        write(0x2C, 4, layout.availableRing.rawValue >> 32)
        write(0x30, 8, layout.usedRing.rawValue)
        write(0x1C, 2, 1)
    }

    /// Sets up queues of `size` one after another from 64 KiB on and starts the driver.
    func start(queueSize size: UInt16 = 16, features: VirtioFeatures? = nil) -> [DriverRing] {
        negotiate(features)
        enableVectors()
        let rings = transport.queues.map { queue in
            DriverRing(
                memory: memory, at: 0x1_0000 + 0x4000 * UInt64(queue.index), size: size)
        }
        for (index, ring) in rings.enumerated() { setQueue(index, ring.layout) }
        write(0x10, 2, UInt64(rings.count))
        write(0x14, 1, 0xF)
        return rings
    }

    /// Rings a queue's doorbell, past KVM.
    func notify(_ queue: Int) { write(0x3000 + 4 * UInt64(queue), 2, UInt64(queue)) }

    /// Waits until the driver has got `count` requests back.
    func waitForUsed(_ ring: inout DriverRing, _ count: Int) throws -> [DriverRing.Used] {
        let deadline = MonotonicInstant.after(milliseconds: 120_000)
        var found: [DriverRing.Used] = []
        while found.count < count {
            found += try ring.takeUsed()
            try #require(!deadline.hasPassed, "only \(found.count) of \(count) came back")
        }
        return found
    }

    /// Boots the device as the VMM does.
    func boot() throws {
        try transport.device.bind()
        try transport.device.takeOver(nil)
        try transport.device.resume()
    }

    func save() -> [UInt8] {
        var writer = StateWriter()
        bus.save(into: &writer)
        return writer.bytes
    }

    func load(_ state: [UInt8]) throws {
        var reader = StateReader(state)
        try bus.load(from: &reader)
        try reader.finish()
    }
}
