import LinuxSystem
import Machine
import StateCoding
import Synchronization
import Testing

@Suite struct MSIXTableTests {
    @Test func openVectorIsSentAsItsMessage() throws {
        let fixture = try PCIFixture()
        fixture.enableVector(1, data: 0x41, isMasked: false)
        fixture.device.function.msix?.raise(1)
        #expect(fixture.chip.messages == [25: 0x41])
        #expect(fixture.chip.takeSignals(25) == 1)
        #expect(fixture.chip.takeSignals(24) == 0)
    }

    @Test func maskedVectorIsPendingAndSentOnceOnUnmasking() throws {
        let fixture = try PCIFixture()
        fixture.enableVector(1, data: 0x41, isMasked: true)
        fixture.device.function.msix?.raise(1)
        fixture.device.function.msix?.raise(1)
        #expect(fixture.chip.takeSignals(25) == 0)
        #expect(fixture.memory.read(at: fixture.wideAddress + 0x5000, width: 8) == 0b10)

        fixture.memory.write(at: fixture.wideAddress + 0x4000 + 28, width: 4, value: 0)
        #expect(fixture.chip.takeSignals(25) == 1)
        #expect(fixture.memory.read(at: fixture.wideAddress + 0x5000, width: 8) == 0)
    }

    @Test func functionMaskHoldsAllVectors() throws {
        let fixture = try PCIFixture()
        fixture.enableVector(0, data: 0x40, isMasked: false)
        fixture.setControl(0xC000)
        fixture.device.function.msix?.raise(0)
        #expect(fixture.chip.takeSignals(24) == 0)
        #expect(fixture.chip.messages.isEmpty)
        fixture.setControl(0x8000)
        #expect(fixture.chip.takeSignals(24) == 1)
    }

    @Test func disabledTableRaisesNothing() throws {
        let fixture = try PCIFixture()
        fixture.enableVector(0, data: 0x40, isMasked: false)
        fixture.setControl(0)
        fixture.device.function.msix?.raise(0)
        fixture.setControl(0x8000)
        #expect(fixture.chip.takeSignals(24) == 0)
    }

    @Test func changedMessageIsRoutedAnew() throws {
        let fixture = try PCIFixture()
        fixture.enableVector(0, data: 0x40, isMasked: false)
        fixture.memory.write(at: fixture.wideAddress + 0x4008, width: 4, value: 0x55)
        #expect(fixture.chip.messages == [24: 0x55])
    }

    @Test(arguments: [2, 200, 0xFFFE, 0xFFFF] as [UInt16])
    func vectorThatDoesNotExistIsIgnored(vector: UInt16) throws {
        let fixture = try PCIFixture()
        fixture.enableVector(0, data: 0x40, isMasked: false)
        fixture.device.function.msix?.raise(vector)
        #expect(fixture.chip.takeSignals(24) == 0)
    }

    @Test func accessesBeyondTheTableAreHarmless() throws {
        let fixture = try PCIFixture()
        fixture.enableMemory()
        let table = fixture.wideAddress + 0x4000
        for offset in [32, 0xFF8, 0xFFC] as [UInt64] {
            fixture.memory.write(at: table + offset, width: 8, value: .max)
            #expect(fixture.memory.read(at: table + offset, width: 8) == 0)
        }
        fixture.memory.write(at: table + 4, width: 2, value: .max)
        #expect(fixture.memory.read(at: table, width: 8) == 0)
    }
}

@Suite struct PCIStateTests {
    private func restored(from source: PCIFixture) throws -> PCIFixture {
        var writer = StateWriter()
        source.bus.save(into: &writer)
        source.configurationPorts.save(into: &writer)
        let target = try PCIFixture()
        var reader = StateReader(writer.bytes)
        try target.bus.load(from: &reader)
        try target.configurationPorts.load(from: &reader)
        try reader.finish()
        return target
    }

    @Test func rangesAnswerWhereTheGuestPutThem() throws {
        let source = try PCIFixture()
        source.enableMemory()
        source.write(1, 0x10, 0xD000_0000)
        source.ports.write(at: 0xCF8, width: 4, value: 0x8000_0800)

        let target = try restored(from: source)
        #expect(target.device.movesOfWideRange.last == 0xD000_0000)
        target.memory.write(at: 0xD000_0000, width: 4, value: 3)
        #expect(target.device.register.load(ordering: .relaxed) == 3)
        #expect(target.ports.read(at: 0xCFC, width: 4) == 0x5678_1234)
    }

    @Test func vectorsKeepRoutesAndPendingBits() throws {
        let source = try PCIFixture()
        source.enableVector(0, data: 0x40, isMasked: false)
        source.enableVector(1, data: 0x41, isMasked: true)
        source.device.function.msix?.raise(1)

        let target = try restored(from: source)
        #expect(target.chip.messages == [24: 0x40])
        target.device.function.msix?.raise(0)
        #expect(target.chip.takeSignals(24) == 1)
        target.memory.write(at: target.wideAddress + 0x4000 + 28, width: 4, value: 0)
        #expect(target.chip.takeSignals(25) == 1)
    }

    @Test func interruptsRaisedBeforeTheMoveAreNotRepeated() throws {
        let source = try PCIFixture()
        source.enableVector(0, data: 0x40, isMasked: false)
        source.device.function.msix?.raise(0)
        let target = try restored(from: source)
        #expect(target.chip.takeSignals(24) == 0)
    }

    @Test func stateOfAnotherMachineIsRefused() throws {
        let source = try PCIFixture()
        try source.bus.insert(
            ExampleDevice(identifier: "_more", router: InterruptRouter(chip: source.chip)))
        #expect(throws: StateError.self) { try restored(from: source) }
    }

    @Test func damagedStateNeverTraps() throws {
        let source = try PCIFixture()
        source.enableVector(1, data: 0x41, isMasked: false)
        var writer = StateWriter()
        source.bus.save(into: &writer)
        for length in stride(from: 0, to: writer.bytes.count, by: 7) {
            var reader = StateReader(Array(writer.bytes[..<length]))
            let target = try PCIFixture()
            #expect(throws: StateError.self) { try target.bus.load(from: &reader) }
        }
    }
}
