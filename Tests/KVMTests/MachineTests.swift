import KVM
import LinuxSystem
import Testing

@Suite(.enabled(if: hasKVM, "needs /dev/kvm"))
struct MachineTests {
    @Test func writtenPagesAreInTheDirtyLogOnce() throws {
        // mov byte [0x3000], 1; out 0x80, al
        let guest = try RealModeMachine(
            [0xc6, 0x06, 0x00, 0x30, 0x01, 0xe6, 0x80], flags: .logDirtyPages)

        _ = try guest.processor.run()
        let first = try dirtyLog(of: guest.machine, slot: 0, words: 1)
        let second = try dirtyLog(of: guest.machine, slot: 0, words: 1)

        #expect(first == [1 << 3])
        #expect(second == [0])
    }

    @Test func manuallyProtectedPagesStayInTheLogUntilTheyAreCleared() throws {
        let machine = try KVMSystem().createVirtualMachine()
        guard machine.value(of: .manualDirtyLogProtection) == 3 else { return }
        try machine.useManualDirtyLogProtection(initiallySet: true)
        let memory = try Mapping(anonymous: 128 * PageSize.base)
        try setMemory(memory, of: machine, slot: 1)

        try machine.clearDirtyLog(
            slot: 1, firstPage: 64, pageCount: 64, bitmap: [UInt64.max].span)

        let log = try dirtyLog(of: machine, slot: 1, words: 2)
        #expect(log == [.max, 0])
    }

    @Test func memoryIsMappedAheadWhereTheKernelCan() throws {
        let guest = try RealModeMachine([0xf4])
        if guest.machine.value(of: .memoryMappingAhead) != 0 {
            #expect(try guest.processor.mapMemory(at: 0, count: 4096) == 4096)
        } else {
            #expect(throws: SystemError.self) {
                try guest.processor.mapMemory(at: 0, count: 4096)
            }
        }
    }

    @Test func bitmapThatIsTooSmallIsRefused() throws {
        let machine = try KVMSystem().createVirtualMachine()
        let memory = try Mapping(anonymous: 65 * PageSize.base)
        try setMemory(memory, of: machine, slot: 0)

        let error = #expect(throws: SystemError.self) {
            _ = try dirtyLog(of: machine, slot: 0, words: 1)
        }
        #expect(error?.errno == .invalidArgument)
    }

    @Test func overlappingMemoryIsRefusedUntilTheOtherIsRemoved() throws {
        let guest = try RealModeMachine([0xf4])
        let segment = unsafe MemorySegment(
            baseAddress: guest.memory.baseAddress, count: PageSize.base)

        let error = #expect(throws: SystemError.self) {
            try guest.machine.setMemory(slot: 1, address: 0x1000, segment: segment)
        }
        #expect(error?.errno == .fileExists)
        try guest.machine.removeMemory(slot: 0)
        try guest.machine.setMemory(slot: 1, address: 0x1000, segment: segment)
    }

    @Test func writeEventIsSignalledWithoutAnExit() throws {
        // out 0x10, al; out 0x80, al
        let guest = try RealModeMachine([0xe6, 0x10, 0xe6, 0x80])
        let bell = try EventDescriptor(name: "bell")
        let write = KVMVirtualMachine.Write(.port(0x10), length: 1, value: 0)

        try guest.machine.attach(bell, to: write)
        let attached = try guest.processor.run()
        let count = bell.drain()
        try guest.machine.detach(bell, from: write)
        try guest.start(at: 0)
        let detached = try guest.processor.run()

        #expect(attached == .portWrite(port: 0x80, size: 1, count: 1))
        #expect(count == 1)
        #expect(detached == .portWrite(port: 0x10, size: 1, count: 1))
    }

    @Test func otherValueThanTheMatchComesHere() throws {
        let guest = try RealModeMachine([0xe6, 0x10])
        let bell = try EventDescriptor(name: "bell")
        try guest.machine.attach(bell, to: .init(.port(0x10), length: 1, value: 7))

        let exit = try guest.processor.run()
        let count = bell.drain()

        #expect(exit == .portWrite(port: 0x10, size: 1, count: 1))
        #expect(count == 0)
    }

    @Test func memoryWriteOfAnyLengthSignalsItsEvent() throws {
        // mov ax, 0x2000; mov ds, ax; mov [0x10], ax; mov [0x10], al; out 0x80, al
        let guest = try RealModeMachine([
            0xb8, 0x00, 0x20, 0x8e, 0xd8, 0xa3, 0x10, 0x00, 0xa2, 0x10, 0x00, 0xe6, 0x80,
        ])
        let bell = try EventDescriptor(name: "bell")
        try guest.machine.attach(bell, to: .init(.memory(0x20010), length: 0))

        let exit = try guest.processor.run()
        let count = bell.drain()

        #expect(exit == .portWrite(port: 0x80, size: 1, count: 1))
        #expect(count == 2)
    }

    @Test func interruptEventIsAttachedOnceAndDetached() throws {
        let machine = try KVMSystem().createVirtualMachine()
        try machine.createInterruptChips()
        let event = try EventDescriptor(name: "interrupt")
        try machine.setRoutes([
            .pin(gsi: 4, chip: 2, pin: 4), .message(gsi: 24, address: 0xfee0_0000, data: 0x30),
        ])

        try machine.attach(event, gsi: 24)
        #expect(throws: SystemError.self) { try machine.attach(event, gsi: 24) }
        try machine.detach(event, gsi: 24)
        try machine.attach(event, gsi: 24)
        try machine.setLine(gsi: 4, raised: true)
    }

    @Test func messageInterruptReachesTheGuest() throws {
        let guest = try waitingMachine()

        let isTaken = try guest.machine.signalMessage(address: 0xfee0_0000, data: 0x30)
        let exit = try guest.processor.run()

        #expect(isTaken)
        #expect(exit == .portWrite(port: 0x80, size: 1, count: 1))
    }

    @Test func signalledEventReachesTheGuest() throws {
        let guest = try waitingMachine()
        let event = try EventDescriptor(name: "interrupt")
        try guest.machine.setRoutes([.message(gsi: 24, address: 0xfee0_0000, data: 0x30)])
        try guest.machine.attach(event, gsi: 24)

        event.signal()
        let exit = try guest.processor.run()

        #expect(exit == .portWrite(port: 0x80, size: 1, count: 1))
    }

    @Test func readOnlyMemoryIsReadAndNotWritten() throws {
        // mov al, [0x100]; mov [0x3000], al; out 0x80, al
        let guest = try RealModeMachine(
            [0xa0, 0x00, 0x01, 0xa2, 0x00, 0x30, 0xe6, 0x80], flags: .readOnly)
        guest.write([0x5a], at: 0x100)

        let exit = try guest.processor.run()

        #expect(exit == .memoryWrite(address: 0x3000, size: 1, value: 0x5a))
    }

    /// A machine whose processor waits for interrupt 0x30, and then writes to port 0x80.
    private func waitingMachine() throws -> RealModeMachine {
        // sti; hlt; jmp back to hlt. The handler at 0x500: out 0x80, al
        let guest = try RealModeMachine([0xfb, 0xf4, 0xeb, 0xfd])
        guest.write([0xe6, 0x80], at: 0x500)
        guest.write([0x00, 0x05, 0x00, 0x00], at: 4 * 0x30)
        var apic = try guest.processor.state(.localAPIC)
        apic[0xf1] |= 1  // spurious interrupt vector register: software enable
        try guest.processor.setState(.localAPIC, apic)
        let bytes = try guest.processor.state(.generalRegisters)
        var general = try #require(GeneralRegisters(bytes: bytes))
        general[.rsp] = 0x8000
        try guest.processor.setState(.generalRegisters, general.bytes)
        return guest
    }

    @Test func clockGoesOnFromWhatIsSet() throws {
        let machine = try KVMSystem().createVirtualMachine()
        let future = try machine.clock().nanoseconds + 1_000_000_000_000

        try machine.setClock(KVMClock(nanoseconds: future))

        let now = try machine.clock().nanoseconds
        #expect(now >= future)
    }

    @Test func clockIsAdvancedByTheWallTimeThatPassed() throws {
        let machine = try KVMSystem().createVirtualMachine()
        var clock = try machine.clock()
        guard let realtime = clock.realtime else { return }
        let hour: UInt64 = 3_600_000_000_000
        clock.realtime = realtime - hour

        try machine.setClock(clock)

        let now = try machine.clock().nanoseconds
        #expect(now >= clock.nanoseconds + hour)
    }

    @Test(arguments: KVMVirtualMachine.Chip.allCases)
    func chipTakesItsStateAndNoOtherSize(chip: KVMVirtualMachine.Chip) throws {
        let first = try RealModeMachine([0xf4])
        let second = try RealModeMachine([0xf4])

        let state = try first.machine.state(of: chip)
        try second.machine.setState(of: chip, state)

        #expect(state.count == chip.byteCount)
        #expect(throws: SystemError.self) {
            try second.machine.setState(of: chip, Array(state.dropLast()))
        }
    }

    private func setMemory(
        _ memory: borrowing Mapping, of machine: borrowing KVMVirtualMachine, slot: UInt32
    ) throws {
        let segment = unsafe MemorySegment(
            baseAddress: memory.baseAddress, count: memory.count)
        try machine.setMemory(slot: slot, address: 0, segment: segment, flags: .logDirtyPages)
    }

    private func dirtyLog(
        of machine: borrowing KVMVirtualMachine, slot: UInt32, words: Int
    ) throws -> [UInt64] {
        var bitmap = [UInt64](repeating: 0, count: words)
        var span = bitmap.mutableSpan
        try machine.readDirtyLog(slot: slot, into: &span)
        return bitmap
    }
}
