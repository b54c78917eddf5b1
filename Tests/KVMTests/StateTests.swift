import KVM
import LinuxSystem
import Testing

@Suite(.enabled(if: hasKVM, "needs /dev/kvm"))
struct StateTests {
    @Test func processorGoesOnInAnotherMachine() throws {
        // mov ax, 0x1234; out 0x80, al; inc ax; out 0x81, ax
        let code: [UInt8] = [0xb8, 0x34, 0x12, 0xe6, 0x80, 0x40, 0xe7, 0x81]
        let first = try RealModeMachine(code)
        let second = try RealModeMachine(code)
        let reported = try first.processor.run()
        // The write is complete after this.
        first.processor.requestImmediateExit(true)
        _ = try first.processor.run()

        for part in parts(of: first.machine) {
            let bytes = try first.processor.state(part)
            try second.processor.setState(part, bytes)
        }
        let exit = try second.processor.run()
        let value = second.processor.portValue()

        #expect(reported == .portWrite(port: 0x80, size: 1, count: 1))
        #expect(exit == .portWrite(port: 0x81, size: 2, count: 1))
        #expect(value == 0x1235)
    }

    @Test func everyPartKeepsItsBytes() throws {
        let guest = try RealModeMachine([0xf4])

        // The timer of the local APIC counts on.
        for part in parts(of: guest.machine) where part != .localAPIC {
            let bytes = try guest.processor.state(part)
            try guest.processor.setState(part, bytes)
            let kept = try guest.processor.state(part)

            #expect(kept == bytes, "\(part)")
        }
    }

    @Test(arguments: KVMVirtualProcessor.StatePart.allCases)
    func partOfAnotherSizeIsRefused(part: KVMVirtualProcessor.StatePart) throws {
        let guest = try RealModeMachine([0xf4])
        let count = guest.processor.byteCount(of: part)

        for other in [0, count + 1] {
            let error = #expect(throws: SystemError.self) {
                try guest.processor.setState(part, [UInt8](repeating: 0, count: other))
            }
            #expect(error?.errno == .invalidArgument)
        }
    }

    @Test func extendedStateOfASmallerHostIsCompleted() throws {
        let guest = try RealModeMachine([0xf4])
        let state = try guest.processor.state(.extendedState)

        try guest.processor.setState(.extendedState, Array(state.prefix(4096)))
    }

    @Test func registersThatAreRefusedAreNamedAndTheOthersAreSet() throws {
        let guest = try RealModeMachine([0xf4])
        let sysenter = ModelSpecificRegister(index: 0x174, value: 0x10)
        let unknown = ModelSpecificRegister(index: 0x1234_5678, value: 1)
        let stack = ModelSpecificRegister(index: 0x175, value: 0x2000)

        let refused = try guest.processor.setModelSpecificRegisters([sysenter, unknown, stack])
        let read = try guest.processor.modelSpecificRegisters([0x174, 0x1234_5678, 0x175])

        #expect(refused == [1])
        #expect(read == [sysenter, stack])
    }

    @Test func moreRegistersThanOneRequestTakesAreRead() throws {
        let guest = try RealModeMachine([0xf4])
        let many = [UInt32](repeating: 0x174, count: 600)

        let read = try guest.processor.modelSpecificRegisters(many)

        #expect(read.count == 600)
    }

    @Test func stateRegistersOfTheHostCanBeRead() throws {
        let guest = try RealModeMachine([0xf4])
        let indices = try KVMSystem().stateRegisters()

        let read = try guest.processor.modelSpecificRegisters(indices)

        #expect(!read.isEmpty)
    }

    @Test func cpuidIsKeptAndItsLengthIsLimited() throws {
        let guest = try RealModeMachine([0xf4])
        let supported = try KVMSystem().supportedCPUID()
        let excess = [CPUIDEntry](
            repeating: CPUIDEntry(function: 0, eax: 0, ebx: 0, ecx: 0, edx: 0), count: 257)

        let kept = try guest.processor.cpuid()

        #expect(kept.count == supported.count)
        #expect(throws: SystemError.self) { try guest.processor.setCPUID(excess) }
    }

    @Test func timestampCounterHasAFrequency() throws {
        let frequency = try RealModeMachine([0xf4]).processor.timestampFrequency()

        #expect(frequency > 0)
    }

    @Test func timestampCounterIsMovedExactlyWhenThatIsSaid() throws {
        let guest = try RealModeMachine([0xf4])
        guard let offset = try guest.processor.timestampOffset() else { return }

        let isMoved = try guest.processor.setTimestampOffset(offset &+ 1_000_000)

        let now = try guest.processor.timestampOffset()
        #expect(now == (isMoved ? offset &+ 1_000_000 : offset))
    }

    @Test func missingNestedStateIsToleratedAndForgedIsRefused() throws {
        let guest = try RealModeMachine([0xf4])

        if let state = try guest.processor.nestedState() {
            try guest.processor.setNestedState(state)
        }
        #expect(throws: SystemError.self) { try guest.processor.setNestedState([1, 2, 3]) }
        #expect(throws: SystemError.self) {
            try guest.processor.setNestedState([UInt8](repeating: 0xff, count: 128))
        }
    }

    @Test func pauseOfAGuestWithoutTheClockIsNoError() throws {
        try RealModeMachine([0xf4]).processor.notePause()
    }

    /// All parts that this host has, with special registers in the more complete form only.
    private func parts(
        of machine: borrowing KVMVirtualMachine
    ) -> [KVMVirtualProcessor.StatePart] {
        let hasPointers = machine.value(of: .specialRegistersWithPointers) > 0
        return KVMVirtualProcessor.StatePart.allCases.filter {
            $0 != (hasPointers ? .specialRegisters : .specialRegistersWithPointers)
        }
    }
}
