import GuestMemory
import LinuxSystem
import StateCoding
import Testing

@testable import KVM
@testable import Machine

@Suite(.enabled(if: kvmIsAvailable, "needs /dev/kvm, readable and writable"))
struct PlatformStateTests {
    /// Pauses the guest and gives its state.
    private func save(_ guest: TestGuest) throws -> [UInt8] {
        try guest.platform.pause()
        var writer = StateWriter()
        try guest.platform.save(into: &writer)
        return writer.bytes
    }

    /// A second machine that goes on where the first stopped, in the same memory.
    private func continued(
        _ guest: TestGuest, from state: [UInt8], processorCount: Int = 1
    ) throws -> TestGuest {
        let next = try TestGuest(
            code: [], processorCount: processorCount, memory: guest.memory, loads: false)
        var reader = StateReader(state)
        try next.platform.load(from: &reader)
        try reader.finish()
        try next.platform.loadLate()
        return next
    }

    private func value(
        _ guest: TestGuest, _ address: UInt32 = GuestProgram.counter
    ) throws -> UInt32 {
        try guest.memory.load(UInt32.self, at: GuestAddress(UInt64(address)))
    }

    @Test func counterGoesOnInAnotherMachine() throws {
        var guest = try TestGuest(code: GuestProgram.count)
        try guest.platform.start()
        for _ in 0..<10 {
            let before = try value(guest)
            try #require(try eventually { try value(guest) > before + 100 })
            let state = try save(guest)
            let saved = try value(guest)
            // Nothing runs any more, and memory alone does not make the count go on.
            #expect(try value(guest) == saved)
            guest = try continued(guest, from: state)
            #expect(try value(guest) == saved)
            try guest.memory.store(UInt32(0), at: GuestAddress(UInt64(GuestProgram.counter)))
            try guest.platform.start()
            try #require(try eventually { try value(guest) > saved })
            #expect(guest.events.all.isEmpty)
        }
        try guest.platform.pause()
    }

    @Test func twoProcessorsGoOnInAnotherMachine() throws {
        var guest = try TestGuest(code: GuestProgram.countOnTwoProcessors, processorCount: 2)
        try guest.platform.start()
        for _ in 0..<5 {
            let before = (try value(guest), try value(guest, GuestProgram.secondCounter))
            try #require(
                try eventually {
                    try value(guest) > before.0 + 100
                        && value(guest, GuestProgram.secondCounter) > before.1 + 100
                })
            let state = try save(guest)
            guest = try continued(guest, from: state, processorCount: 2)
            try guest.platform.start()
            #expect(guest.events.all.isEmpty)
        }
        let before = try value(guest, GuestProgram.secondCounter)
        try #require(try eventually { try value(guest, GuestProgram.secondCounter) > before })
        try guest.platform.pause()
    }

    @Test func unstartedProcessorWaitsInAnotherMachineToo() throws {
        let guest = try TestGuest(code: GuestProgram.count, processorCount: 2)
        try guest.platform.start()
        try #require(try eventually { try value(guest) > 10 })
        let next = try continued(guest, from: save(guest), processorCount: 2)
        let before = try value(next)
        try next.platform.start()
        try #require(try eventually { try value(next) > before + 10 })
        try next.platform.pause()
        #expect(next.events.all.isEmpty)
    }

    @Test func stateIsTheSameAfterARoundTrip() throws {
        let guest = try TestGuest(code: GuestProgram.count)
        try guest.platform.start()
        try #require(try eventually { try value(guest) > 10 })
        let first = try decode(save(guest))
        let next = try continued(guest, from: encode(first))
        let second = try decode(save(next))
        #expect(second.processors.map(\.contents) == first.processors.map(\.contents))
        #expect(second.processors.map(\.registers) == first.processors.map(\.registers))
        #expect(
            second.processors.map(\.timestamp.offset) == first.processors.map(\.timestamp.offset))
    }

    @Test func vectorRegistersAreSavedInFull() throws {
        let guest = try TestGuest(code: GuestProgram.count)
        let hardware = guest.platform.processors[0]
        let filled = try fillVectorRegisters(of: guest.platform)
        #expect(filled.count { $0 != 0 } > 512)
        let next = try continued(guest, from: save(guest))
        #expect(try hardware.hardware.state(.extendedState) == filled)
        #expect(try next.platform.processors[0].hardware.state(.extendedState) == filled)
    }

    @Test(
        arguments: [
            (0xc000_0081, 0x0023_0010_0000_0000), (0xc000_0082, 0xffff_ffff_8100_0000),
            (0xc000_0102, 0x7fff_0000_1000), (0x277, 0x0007_0406_0007_0406), (0x174, 0x10),
            (0x2ff, 0x0c06),
        ] as [(UInt32, UInt64)])
    func registerKeepsItsValue(index: UInt32, value: UInt64) throws {
        let guest = try TestGuest(code: GuestProgram.count)
        let register = ModelSpecificRegister(index: index, value: value)
        let refused = try guest.platform.processors[0].hardware.setModelSpecificRegisters([register]
        )
        #expect(refused.isEmpty)
        let next = try continued(guest, from: save(guest))
        let found = try next.platform.processors[0].hardware.modelSpecificRegisters([index])
        #expect(found == [register])
    }

    @Test(arguments: [true, false]) func timestampGoesOn(isSameHost: Bool) throws {
        let guest = try TestGuest(code: GuestProgram.readTimestamp)
        try guest.platform.start()
        try #require(try eventually { try value(guest) != 0 })
        var states = try decode(save(guest))
        if !isSameHost { states.hostBoot = "another host" }
        let last = try timestamp(guest)
        let next = try continued(guest, from: encode(states))
        try next.platform.start()
        try #require(try eventually { try timestamp(next) != last })
        try next.platform.pause()
        let kilohertz = UInt64(states.processors[0].timestamp.kilohertz)
        let passed = (try timestamp(next) &- last) / kilohertz
        // No jump back, which would be an enormous number, and none by more than the test takes.
        #expect(passed < 60_000, "\(passed) ms")
    }

    @Test func lateRegistersWaitForTheTakeover() throws {
        let guest = try TestGuest(code: GuestProgram.count)
        let wallClock = ModelSpecificRegister(index: 0x4b56_4d00, value: 0x20_1000)
        let hardware = guest.platform.processors[0]
        guard try hardware.hardware.setModelSpecificRegisters([wallClock]).isEmpty else {
            return  // a KVM without paravirtual clocks has no such register
        }
        let state = try save(guest)
        let place = GuestAddress(0x20_1000)
        try guest.memory.store(UInt64(0), at: place)
        try guest.memory.store(UInt32(0), at: GuestAddress(0x20_1008))

        let next = try TestGuest(code: [], memory: guest.memory, loads: false)
        var reader = StateReader(state)
        try next.platform.load(from: &reader)
        #expect(try next.memory.load(UInt64.self, at: place) == 0)
        try next.platform.loadLate()
        #expect(try next.memory.load(UInt64.self, at: place) != 0)
    }

    @Test func clockAdvances() throws {
        let guest = try TestGuest(code: GuestProgram.count)
        try guest.platform.pause()
        let before = try guest.platform.kernel.machine.clock().nanoseconds
        let next = try continued(guest, from: save(guest))
        let after = try next.platform.kernel.machine.clock().nanoseconds
        #expect(after > before)
        #expect(after - before < 60_000_000_000)
    }

    @Test func unansweredEventTravelsWithTheGuest() throws {
        // mov al, 0xfe; out 0x64, al; then count.
        let guest = try TestGuest(code: [0xb0, 0xfe, 0xe6, 0x64] + GuestProgram.count)
        try guest.platform.start()
        #expect(try guest.events.wait() == [.reset])
        let next = try continued(guest, from: save(guest))
        #expect(next.platform.pendingEvent == .reset)
        try next.platform.start()
        #expect(try next.events.wait() == [.reset])
        #expect(!next.platform.isRunning)
        #expect(try value(next) == 0)
    }

    @Test func runningGuestIsNotSaved() throws {
        let guest = try TestGuest(code: GuestProgram.count)
        try guest.platform.start()
        var writer = StateWriter()
        #expect(throws: PlatformError.self) { try guest.platform.save(into: &writer) }
        try guest.platform.pause()
    }

    @Test func stateOfAnotherShapeIsRefused() throws {
        let guest = try TestGuest(code: GuestProgram.count)
        let state = try save(guest)
        let two = try TestGuest(
            code: [], processorCount: 2, memory: guest.memory, loads: false)
        var reader = StateReader(state)
        let error = #expect(throws: PlatformError.self) { try two.platform.load(from: &reader) }
        guard case .state(.invalidValue) = error else {
            Issue.record("unexpected \(String(describing: error))")
            return
        }
    }

    @Test func refusedRegisterIsNamed() throws {
        let guest = try TestGuest(code: GuestProgram.count)
        var states = try decode(save(guest))
        states.processors[0].registers.append(
            ModelSpecificRegister(index: 0x1234_5678, value: 0))
        _ = try continued(guest, from: encode(states))
        states.processors[0].registers.append(
            ModelSpecificRegister(index: 0x1234_5679, value: 9))
        #expect(
            throws: PlatformError.refusedRegister(index: 0x1234_5679, value: 9, processor: 0)
        ) {
            _ = try continued(guest, from: encode(states))
        }
    }

    @Test func damagedStateGivesAnErrorAndNoTrap() throws {
        let guest = try TestGuest(code: GuestProgram.count)
        let state = try save(guest)
        let target = try TestGuest(code: [], memory: guest.memory, loads: false)
        for length in stride(from: 0, to: state.count, by: 97) {
            var reader = StateReader(Array(state.prefix(length)))
            #expect(throws: PlatformError.self) { try target.platform.load(from: &reader) }
        }
        for position in stride(from: 0, to: state.count, by: 61) {
            var damaged = state
            damaged[position] ^= 0xff
            var reader = StateReader(damaged)
            // Whether the kernel takes it depends on the place.
            _ = try? target.platform.load(from: &reader)
        }
    }

    // MARK: - Pieces of state

    private func timestamp(_ guest: TestGuest) throws -> UInt64 {
        try guest.memory.load(UInt64.self, at: GuestAddress(UInt64(GuestProgram.counter)))
    }

    /// The components of a saved platform with that of the processors decoded.
    private func decode(_ state: [UInt8]) throws -> ProcessorsState {
        var reader = StateReader(state)
        _ = try reader.readComponent()
        _ = try reader.readComponent()
        return try reader.read(ProcessorsState.self)
    }

    /// A saved platform with these processors, and chips and clock of a new machine.
    private func encode(_ processors: ProcessorsState) throws -> [UInt8] {
        let other = try TestGuest(code: GuestProgram.count, processorCount: 1)
        var reader = StateReader(try save(other))
        let chips = try reader.read(InterruptChipState.self)
        let clock = try reader.read(ClockState.self)
        _ = try reader.read(ProcessorsState.self)
        var writer = StateWriter()
        writer.append(chips)
        writer.append(clock)
        writer.append(processors)
        other.platform.serial.save(into: &writer)
        writer.append(GuestEventState(pending: nil))
        writer.append(PlatformEventsState())
        return writer.bytes
    }

    /// Switches on all extended state and fills what is there beyond the legacy area, and the
    /// vector registers within it, with a pattern.
    private func fillVectorRegisters(of platform: Platform) throws -> [UInt8] {
        let hardware = platform.processors[0]
        let leaf = platform.cpuid.entries.first { $0.function == 0xd && $0.index == 0 }
        // x87, SSE, AVX and the three parts of AVX-512.
        let features = UInt8(truncatingIfNeeded: (leaf?.eax ?? 3) & 0xe7)
        var controls = try hardware.hardware.state(.extendedControlRegisters)
        controls[16] = features  // the value of the first register
        try hardware.hardware.setState(.extendedControlRegisters, controls)

        var area = try hardware.hardware.state(.extendedState)
        for index in 160..<416 { area[index] = UInt8(truncatingIfNeeded: index * 7 + 1) }
        for part in 2..<8 where features & 1 << part != 0 {
            guard
                let place = platform.cpuid.entries.first(where: {
                    $0.function == 0xd && $0.index == UInt32(part)
                })
            else { continue }
            for index in Int(place.ebx)..<Int(place.ebx + place.eax) {
                area[index] = UInt8(truncatingIfNeeded: index * 5 + 1)
            }
        }
        area[512] = features
        try hardware.hardware.setState(.extendedState, area)
        return try hardware.hardware.state(.extendedState)
    }
}
