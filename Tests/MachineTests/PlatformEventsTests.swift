import GuestMemory
import LinuxSystem
import StateCoding
import Synchronization
import Testing

@testable import Machine

/// What the guest has ejected, or said.
private final class Ejections: Sendable {
    let slots = Mutex<[Int]>([])
    var all: [Int] { slots.withLock { $0 } }
}

@Suite struct PlatformEventsTests {
    private let interrupt: InterruptLine
    private let events: PlatformEvents
    private let ports = IOBus()

    init() throws {
        interrupt = try InterruptRouter(chip: RecordingChip())
            .allocateLine(PortLayout.eventInterrupt)
        events = PlatformEvents(interrupt: interrupt) {}
        try ports.insert(events.registers, at: PortLayout.events)
    }

    private func read(_ offset: UInt64) -> UInt64 {
        ports.read(at: 0x610 + offset, width: 4)
    }

    @Test func powerButtonInterruptsAndIsReadOnce() {
        #expect(!interrupt.takeOnItsWay())
        events.pressPowerButton()
        #expect(interrupt.takeOnItsWay())
        #expect(read(0) == 1)
        #expect(read(0) == 0)
    }

    /// However often a guest says so, its VMM does not get slower or larger.
    @Test func guestMayLoadItsCrashKernelAgainAndAgain() {
        let ejections = Ejections()
        let port = PanicPort {}
        port.setCrashKernelHandler { ejections.slots.withLock { $0 = [($0.first ?? 0) + 1] } }
        for _ in 0..<100_000 { port.write(offset: 0, width: 1, value: 2) }
        #expect(ejections.all == [100_000])
        let hotPlug = events.hotPlug
        hotPlug.onEject { _ in ejections.slots.withLock { $0 = [$0[0] - 1] } }
        for _ in 0..<100_000 { ports.write(at: 0x61c, width: 4, value: 1 << 6) }
        #expect(ejections.all == [0])
    }

    @Test func slotsAreToldUntilTheyAreRead() {
        events.hotPlug.deviceAdded(slot: 3)
        events.hotPlug.deviceAdded(slot: 31)
        events.hotPlug.requestRemoval(slot: 1)
        #expect(interrupt.takeOnItsWay())
        #expect(read(0) == 2)
        #expect(read(4) == 1 << 3 | 1 << 31)
        #expect(read(4) == 0)
        #expect(read(8) == 1 << 1)
        #expect(read(8) == 0)
    }

    @Test(arguments: [-1, 0, 32, .max, .min])
    func slotsThatTakeNoDeviceAreLeftAlone(slot: Int) {
        events.hotPlug.deviceAdded(slot: slot)
        events.hotPlug.requestRemoval(slot: slot)
        #expect(!interrupt.takeOnItsWay())
        #expect(read(0) == 0)
    }

    @Test func ejectsAreHandedOnWithoutTheHostBridge() {
        let ejections = Ejections()
        events.hotPlug.onEject { slot in ejections.slots.withLock { $0.append(slot) } }
        events.hotPlug.requestRemoval(slot: 5)
        ports.write(at: 0x61c, width: 4, value: 1 << 5 | 1 << 31 | 1)
        #expect(ejections.all == [5, 31])
        #expect(read(8) == 0, "nothing is left to be said about a device that is gone")
    }

    @Test func accessesOfOtherWidthsAndPlacesDoNothing() {
        let ejections = Ejections()
        events.hotPlug.onEject { slot in ejections.slots.withLock { $0.append(slot) } }
        events.pressPowerButton()
        for width in [1, 2, 8] {
            #expect(ports.read(at: 0x610, width: width) & 0xff == 0xff)
            ports.write(at: 0x61c, width: width, value: .max)
        }
        for offset: UInt64 in [0, 1, 4, 8, 13] {
            ports.write(at: 0x610 + offset, width: 4, value: .max)
        }
        #expect(read(1) == 0xffff_ffff)
        #expect(ejections.all.isEmpty)
        #expect(read(0) == 1)
    }

    @Test func unreadEventsAreSaved() throws {
        events.pressPowerButton()
        events.hotPlug.deviceAdded(slot: 2)
        events.hotPlug.requestRemoval(slot: 4)
        var writer = StateWriter()
        writer.append(events.registers.saved)
        var reader = StateReader(writer.bytes)
        let saved = try reader.read(PlatformEventsState.self)

        let line = try InterruptRouter(chip: RecordingChip()).allocateLine(16)
        let other = PlatformEvents(interrupt: line) {}
        other.registers.saved = saved
        other.registers.repeatPending()
        #expect(line.takeOnItsWay())
        #expect(other.registers.read(offset: 0, width: 4) == 3)
        #expect(other.registers.read(offset: 4, width: 4) == 1 << 2)
        #expect(other.registers.read(offset: 8, width: 4) == 1 << 4)
        other.registers.repeatPending()
        #expect(!line.takeOnItsWay())
    }

    @Test(
        arguments: [
            [4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
            [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0],
        ] as [[UInt8]])
    func unknownEventsAreRefused(contents: [UInt8]) throws {
        var writer = StateWriter()
        writer.component(PlatformEventsState.name, version: 1) { writer in
            for byte in contents { writer.append(byte) }
        }
        var reader = StateReader(writer.bytes)
        #expect(throws: StateError.self) { try reader.read(PlatformEventsState.self) }
    }
}

/// The same with a guest behind it.
@Suite(.enabled(if: kvmIsAvailable, "needs /dev/kvm, readable and writable"))
struct PlatformEventDeliveryTests {
    private func value(_ guest: TestGuest, _ address: UInt32) throws -> UInt32 {
        try guest.memory.load(UInt32.self, at: GuestAddress(UInt64(address)))
    }

    /// mov dx, port; mov al, value; out dx, al
    private func output(_ value: UInt8, to port: UInt16) -> [UInt8] {
        [0x66, 0xba, UInt8(port & 0xff), UInt8(port >> 8), 0xb0, value, 0xee]
    }

    @Test func unreadEventsTravelWithTheGuest() throws {
        let guest = try TestGuest(code: GuestProgram.count)
        guest.platform.events.pressPowerButton()
        guest.platform.events.hotPlug.deviceAdded(slot: 7)
        var writer = StateWriter()
        try guest.platform.save(into: &writer)
        let next = try TestGuest(code: [], memory: guest.memory, loads: false)
        var reader = StateReader(writer.bytes)
        try next.platform.load(from: &reader)
        try reader.finish()
        #expect(next.platform.ports.read(at: 0x610, width: 4) == 3)
        #expect(next.platform.ports.read(at: 0x614, width: 4) == 1 << 7)
    }

    @Test func ejectReachesTheOwner() throws {
        // mov dx, 0x61c; mov eax, 0x40; out dx, eax; then count.
        let guest = try TestGuest(
            code: [0x66, 0xba, 0x1c, 0x06, 0xb8, 0x40, 0, 0, 0, 0xef] + GuestProgram.count)
        let ejections = Ejections()
        guest.platform.events.hotPlug.onEject { slot in
            ejections.slots.withLock { $0.append(slot) }
        }
        try guest.platform.start()
        try #require(try eventually { try value(guest, GuestProgram.counter) > 0 })
        #expect(ejections.all == [6])
        try guest.platform.pause()
    }

    @Test func panicStopsTheGuest() throws {
        // in al, dx at the port; mov [counter + 4], al; then the panic; then count.
        let guest = try TestGuest(
            code: [0x66, 0xba, 0x05, 0x05, 0xec, 0xa2]
                + GuestProgram.bytes(GuestProgram.counter + 4) + output(1, to: 0x505)
                + GuestProgram.count)
        try guest.platform.start()
        #expect(try guest.events.wait() == [.panicked])
        try guest.platform.pause()
        #expect(guest.platform.pendingEvent == .panicked)
        #expect(try value(guest, GuestProgram.counter) == 0)
        #expect(try value(guest, GuestProgram.counter + 4) == 3)
    }

    @Test func guestWithACrashKernelGoesOn() throws {
        let guest = try TestGuest(code: output(2, to: 0x505) + GuestProgram.count)
        let isTold = Mutex(false)
        guest.platform.events.onCrashKernelStart { isTold.withLock { $0 = true } }
        try guest.platform.start()
        try #require(try eventually { try value(guest, GuestProgram.counter) > 100 })
        #expect(isTold.withLock { $0 })
        try guest.platform.pause()
        #expect(guest.events.all.isEmpty)
        #expect(guest.platform.pendingEvent == nil)
    }

    @Test(arguments: [true, false])
    func nonMaskableInterruptReachesAGuest(isRunning: Bool) throws {
        let guest = try TestGuest(code: GuestProgram.countWithTables)
        try InterruptTables.write(to: guest.memory)
        try guest.platform.start()
        try #require(try eventually { try value(guest, GuestProgram.counter) > 100 })
        if !isRunning { try guest.platform.pause() }
        try guest.platform.injectNMI()
        if !isRunning { try guest.platform.start() }
        try #require(
            try eventually { try value(guest, GuestProgram.interruptCounter) == 1 })
        try guest.platform.pause()
        #expect(guest.events.all.isEmpty)
    }
}
