import GuestMemory
import LinuxSystem
import StateCoding
import Testing

@testable import Machine

@Suite(.enabled(if: kvmIsAvailable, "needs /dev/kvm, readable and writable"))
struct InterruptDeliveryTests {
    private func makeGuest(_ code: [UInt8]) throws -> TestGuest {
        let guest = try TestGuest(code: code)
        try InterruptTables.write(to: guest.memory)
        return guest
    }

    private func moved(_ guest: TestGuest) throws -> TestGuest {
        try guest.platform.pause()
        var writer = StateWriter()
        try guest.platform.save(into: &writer)
        let next = try TestGuest(code: [], memory: guest.memory, loads: false)
        var reader = StateReader(writer.bytes)
        try next.platform.load(from: &reader)
        try next.platform.loadLate()
        return next
    }

    private func count(_ guest: TestGuest) throws -> UInt32 {
        try guest.memory.load(
            UInt32.self, at: GuestAddress(UInt64(GuestProgram.counter)))
    }

    @Test func serialInterruptWakesTheGuestAlsoAfterAMove() throws {
        var guest = try makeGuest(GuestProgram.countSerialInterrupts)
        try guest.platform.start()
        try #require(try eventually { try count(guest) == 1 })
        for expected: UInt32 in 2...5 {
            guest = try moved(guest)
            try guest.platform.start()
            // A byte sent empties the transmitter again.
            guest.platform.serial.write(offset: 0, width: 1, value: 0x41)
            try #require(try eventually { try count(guest) == expected })
        }
        try guest.platform.pause()
    }

    @Test func interruptOnItsWayIsInTheState() throws {
        var guest = try makeGuest(GuestProgram.countSerialInterrupts)
        try guest.platform.start()
        try #require(try eventually { try count(guest) == 1 })
        for expected: UInt32 in 2...20 {
            try guest.platform.pause()
            // Signalled when nothing runs: the kernel delivers it while the state is saved.
            guest.platform.serial.write(offset: 0, width: 1, value: 0x41)
            guest = try moved(guest)
            #expect(try count(guest) == expected - 1)
            try guest.platform.start()
            try #require(try eventually { try count(guest) == expected })
        }
        try guest.platform.pause()
    }

    @Test func timerGoesOnAfterAMove() throws {
        var guest = try makeGuest(GuestProgram.countTimerInterrupts)
        try guest.platform.start()
        for _ in 0..<10 {
            let before = try count(guest)
            try #require(try eventually { try count(guest) > before + 3 })
            guest = try moved(guest)
            try guest.platform.start()
        }
        let before = try count(guest)
        try #require(try eventually { try count(guest) > before + 3 })
        try guest.platform.pause()
        #expect(guest.events.all.isEmpty)
    }

    @Test func endedPlatformLeavesNothingBehind() throws {
        weak var processor: Processor?
        weak var kernel: KernelMachine?
        do {
            let guest = try makeGuest(GuestProgram.countTimerInterrupts)
            try guest.platform.start()
            try #require(try eventually { try count(guest) > 0 })
            processor = guest.platform.processors.first
            kernel = guest.platform.kernel
            #expect(processor != nil)
        }
        // Both own their descriptors, and the processor's thread holds the processor.
        #expect(processor == nil)
        #expect(kernel == nil)
    }

    @Test func impossibleMachinesAreRefused() throws {
        let memory = try GuestRAM(
            layout: PhysicalLayout.regions(memorySize: 1 << 20),
            backing: .privateAnonymous(hugePages: nil))
        let impossible = GuestCPUID(entries: [
            CPUIDEntry(
                function: 7, index: 0, flags: 1, eax: 0, ebx: 1 << 2, ecx: 0, edx: 0)
        ])
        #expect(throws: PlatformError.missingFeatures(["sgx"])) {
            _ = try Platform(
                configuration: PlatformConfiguration(processorCount: 2, cpuid: impossible),
                memory: memory
            ) { _ in }
        }
        #expect(throws: PlatformError.processorCount(0, limit: 254)) {
            _ = try Platform(
                configuration: PlatformConfiguration(processorCount: 0), memory: memory
            ) { _ in }
        }
    }
}
