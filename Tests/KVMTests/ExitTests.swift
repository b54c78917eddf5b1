import KVM
import LinuxSystem
import Testing

@Suite(.enabled(if: hasKVM, "needs /dev/kvm"))
struct ExitTests {
    @Test func portWriteCarriesItsValue() throws {
        // mov dx, 0x3f8; mov al, 'M'; out dx, al
        let guest = try RealModeMachine([0xba, 0xf8, 0x03, 0xb0, 0x4d, 0xee, 0xf4])

        let exit = try guest.processor.run()
        let values = (guest.processor.portValue(), guest.processor.portValue(at: 1))

        #expect(exit == .portWrite(port: 0x3f8, size: 1, count: 1))
        #expect(values == (0x4d, 0))
    }

    @Test func portReadGetsItsAnswer() throws {
        // in ax, 0x60; out 0x80, ax
        let guest = try RealModeMachine([0xe5, 0x60, 0xe7, 0x80])

        let read = try guest.processor.run()
        guest.processor.setPortValue(0xbeef)
        let write = try guest.processor.run()
        let value = guest.processor.portValue()

        #expect(read == .portRead(port: 0x60, size: 2, count: 1))
        #expect(write == .portWrite(port: 0x80, size: 2, count: 1))
        #expect(value == 0xbeef)
    }

    @Test func repeatedPortWriteCarriesAllValues() throws {
        // mov si, 0x100; mov cx, 3; mov dx, 0x10; cld; rep outsb; hlt
        let guest = try RealModeMachine([
            0xbe, 0x00, 0x01, 0xb9, 0x03, 0x00, 0xba, 0x10, 0x00, 0xfc, 0xf3, 0x6e, 0xf4,
        ])
        guest.write([7, 8, 9], at: 0x100)

        var values: [UInt32] = []
        while values.count < 3 {
            guard case .portWrite(port: 0x10, size: 1, let count) = try guest.processor.run()
            else {
                Issue.record("the guest left for another reason")
                return
            }
            for index in 0..<count { values.append(guest.processor.portValue(at: index)) }
        }
        #expect(values == [7, 8, 9])
    }

    @Test func memoryAccessesOutsideMemoryComeHere() throws {
        // mov ax, 0x2000; mov ds, ax; mov ax, [0x10]; mov [0x20], al
        let guest = try RealModeMachine([
            0xb8, 0x00, 0x20, 0x8e, 0xd8, 0xa1, 0x10, 0x00, 0xa2, 0x20, 0x00,
        ])

        let read = try guest.processor.run()
        guest.processor.setMemoryValue(0x1234)
        let write = try guest.processor.run()

        #expect(read == .memoryRead(address: 0x20010, size: 2))
        #expect(write == .memoryWrite(address: 0x20020, size: 1, value: 0x34))
    }

    @Test func immediateExitLeavesAtOnceAsLongAsItStands() throws {
        let guest = try RealModeMachine([0xe6, 0x80])  // out 0x80, al

        guest.processor.requestImmediateExit(true)
        let first = try guest.processor.run()
        let second = try guest.processor.run()
        guest.processor.requestImmediateExit(false)
        let third = try guest.processor.run()

        #expect(first == .interrupted)
        #expect(second == .interrupted)
        #expect(third == .portWrite(port: 0x80, size: 1, count: 1))
    }

    @Test func kickedThreadLeavesTheGuest() throws {
        let guest = SharedMachine(try RealModeMachine([0xeb, 0xfe]))  // jmp to itself
        let left = SharedEvent(try EventDescriptor(name: "left"))
        let thread = try WorkerThread(name: "vcpu0") { _ in
            if (try? guest.machine.processor.run()) == .interrupted { left.event.signal() }
        }

        guest.machine.processor.requestImmediateExit(true)
        thread.kick()

        try left.event.wait(deadline: .after(milliseconds: 120_000))
    }
}

/// A machine that a thread's closure can hold.
final class SharedMachine: Sendable {
    let machine: RealModeMachine
    init(_ machine: consuming RealModeMachine) { self.machine = machine }
}

/// An event that a thread's closure can hold.
final class SharedEvent: Sendable {
    let event: EventDescriptor
    init(_ event: consuming EventDescriptor) { self.event = event }
}
