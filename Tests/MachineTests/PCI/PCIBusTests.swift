import LinuxSystem
import Machine
import StateCoding
import Synchronization
import Testing

@Suite struct PCIBusTests {
    @Test func portsAndWindowShowTheSameSpace() throws {
        let fixture = try PCIFixture()
        fixture.ports.write(at: 0xCF8, width: 4, value: 0x8000_0800)
        #expect(fixture.ports.read(at: 0xCFC, width: 4) == 0x5678_1234)
        #expect(fixture.ports.read(at: 0xCFE, width: 2) == 0x5678)
        #expect(fixture.ports.read(at: 0xCFD, width: 1) == 0x12)
        #expect(fixture.read(1, 0) == 0x5678_1234)
        #expect(fixture.read(1, 0x2C, width: 8) & 0xFFFF_FFFF == 0xDEF0_9ABC)
    }

    @Test func bridgeIsAtSlotZero() throws {
        let fixture = try PCIFixture()
        #expect(fixture.read(0, 0x08) >> 8 == 0x06_00_00)
        #expect(fixture.read(0, 0x0E, width: 1) == 0)
    }

    @Test(arguments: [
        PCIAddress(device: 2), PCIAddress(device: 1, function: 1), PCIAddress(bus: 1, device: 1),
    ])
    func absentFunctionReadsAsOnes(address: PCIAddress) throws {
        let fixture = try PCIFixture()
        #expect(fixture.bus.readConfiguration(address, offset: 0, width: 4) == .max)
        #expect(fixture.bus.readConfiguration(address, offset: 0, width: 2) == 0xFFFF)
    }

    @Test func disabledPortsReadAsOnes() throws {
        let fixture = try PCIFixture()
        fixture.ports.write(at: 0xCF8, width: 4, value: 0x0000_0800)
        #expect(fixture.ports.read(at: 0xCFC, width: 4) == 0xFFFF_FFFF)
    }

    @Test func narrowWritesDoNotChangeThePortAddress() throws {
        let fixture = try PCIFixture()
        fixture.ports.write(at: 0xCF8, width: 4, value: 0x8000_0800)
        fixture.ports.write(at: 0xCF8, width: 1, value: 0xFF)
        #expect(fixture.ports.read(at: 0xCF8, width: 4) == 0x8000_0800)
    }

    @Test func readOnlyBitsKeepTheirValue() throws {
        let fixture = try PCIFixture()
        fixture.write(1, 0x00, 0xFFFF_FFFF)
        fixture.write(1, 0x2C, 0)
        fixture.write(1, 0x34, 0)
        #expect(fixture.read(1, 0) == 0x5678_1234)
        #expect(fixture.read(1, 0x2C) == 0xDEF0_9ABC)
        #expect(fixture.read(1, 0x34, width: 1) == 0x40)
    }

    @Test func capabilityListEndsAtMSIX() throws {
        let fixture = try PCIFixture()
        #expect(fixture.read(1, 0x06, width: 2) & 0x10 != 0)
        let offset = fixture.read(1, 0x34, width: 1)
        #expect(fixture.read(1, offset, width: 2) == 0x0011)
        #expect(fixture.read(1, offset + 2, width: 2) == 1)
        #expect(fixture.read(1, offset + 4) == 0x4000)
        #expect(fixture.read(1, offset + 8) == 0x5000)
    }

    @Test func fullBusRefusesByName() throws {
        let fixture = try PCIFixture()
        let router = InterruptRouter(chip: SignalledChip())
        for index in 2..<32 {
            try fixture.bus.insert(ExampleDevice(identifier: "_d\(index)", router: router))
        }
        #expect(throws: PCIError.busFull(device: "_late")) {
            try fixture.bus.insert(ExampleDevice(identifier: "_late", router: router))
        }
        #expect(throws: PCIError.slotTaken(1, device: "_late")) {
            try fixture.bus.insert(
                ExampleDevice(identifier: "_late", router: router), slot: 1)
        }
    }

    @Test func removedDeviceLeavesItsSlotAndItsAddresses() throws {
        let fixture = try PCIFixture()
        let router = InterruptRouter(chip: SignalledChip())
        let second = try ExampleDevice(identifier: "_b", router: router)
        try fixture.bus.insert(second)
        fixture.enableMemory()
        #expect(fixture.bus.remove(slot: 1) === fixture.device)
        #expect(fixture.read(1, 0) == 0xFFFF_FFFF)
        #expect(fixture.memory.read(at: 0xC000_0000, width: 4) == 0xFFFF_FFFF)
        #expect(fixture.device.movesOfWideRange == [0xC000_0000, nil])
        let third = try ExampleDevice(identifier: "_c", router: router)
        #expect(try fixture.bus.insert(third) == PCIAddress(device: 1))
        #expect(fixture.wideAddress == 0xC000_0000)
        #expect(fixture.read(1, 0x18) == 0xC000_8000)
    }

    @Test func addressesThatTheGuestHasChosenAreNotGivenAgain() throws {
        let fixture = try PCIFixture()
        let router = InterruptRouter(chip: SignalledChip())
        // Where the next device would be.
        fixture.write(1, 0x10, 0xC001_0000)
        try fixture.bus.insert(try ExampleDevice(identifier: "_b", router: router))
        #expect(fixture.read(2, 0x10) & ~0xF == 0xC000_0000)
        try fixture.bus.insert(try ExampleDevice(identifier: "_c", router: router))
        #expect(fixture.read(3, 0x10) & ~0xF == 0xC001_8000)
    }

    @Test(arguments: [0, 2, -1, 32])
    func nothingIsRemovedOrEjectedWhereNothingIs(slot: Int) throws {
        let fixture = try PCIFixture()
        #expect(fixture.bus.remove(slot: slot) == nil)
        #expect(fixture.bus.eject(slot: slot) == nil)
        fixture.bus.noteRemovalRequest(slot: slot)
        #expect(fixture.read(0, 0x08) >> 8 == 0x06_00_00)
        #expect(fixture.read(1, 0) == 0x5678_1234)
    }

    @Test func ejectedDeviceAnswersNoMoreAndKeepsItsSlot() throws {
        let fixture = try PCIFixture()
        fixture.enableMemory()
        #expect(fixture.bus.eject(slot: 1) === fixture.device)
        #expect(fixture.bus.eject(slot: 1) == nil)
        #expect(fixture.read(1, 0) == 0xFFFF_FFFF)
        fixture.write(1, 0x04, 0x6, width: 2)
        #expect(fixture.memory.read(at: 0xC000_0000, width: 4) == 0xFFFF_FFFF)
        #expect(fixture.bus.slots(in: .ejected) == [1])
        let router = InterruptRouter(chip: SignalledChip())
        #expect(throws: PCIError.slotTaken(1, device: "_b")) {
            try fixture.bus.insert(
                try ExampleDevice(identifier: "_b", router: router), slot: 1)
        }
        #expect(fixture.bus.remove(slot: 1) === fixture.device)
    }

    @Test func stagesTravelWithTheState() throws {
        let source = try PCIFixture()
        let router = InterruptRouter(chip: SignalledChip())
        try source.bus.insert(try ExampleDevice(identifier: "_b", router: router), slot: 9)
        source.enableMemory()
        source.bus.eject(slot: 1)
        source.bus.noteRemovalRequest(slot: 9)
        var writer = StateWriter()
        source.bus.save(into: &writer)

        let destination = try PCIFixture()
        try destination.bus.insert(try ExampleDevice(identifier: "_b", router: router), slot: 9)
        var reader = StateReader(writer.bytes)
        try destination.bus.load(from: &reader)
        #expect(destination.bus.slots(in: .ejected) == [1])
        #expect(destination.bus.slots(in: .leaving) == [9])
        #expect(destination.read(1, 0) == 0xFFFF_FFFF)
        #expect(destination.memory.read(at: 0xC000_0000, width: 4) == 0xFFFF_FFFF)
        #expect(destination.read(9, 0) == 0x5678_1234)
    }

    @Test func deviceInAnotherSlotIsRefused() throws {
        let source = try PCIFixture()
        let router = InterruptRouter(chip: SignalledChip())
        try source.bus.insert(try ExampleDevice(identifier: "_b", router: router), slot: 9)
        var writer = StateWriter()
        source.bus.save(into: &writer)
        let destination = try PCIFixture()
        try destination.bus.insert(try ExampleDevice(identifier: "_b", router: router), slot: 8)
        var reader = StateReader(writer.bytes)
        #expect(throws: StateError.self) { try destination.bus.load(from: &reader) }
    }

    @Test func devicesAreFreeAfterRemoval() throws {
        weak var device: ExampleDevice?
        do {
            let fixture = try PCIFixture()
            fixture.enableMemory()
            device = fixture.device
            fixture.bus.removeAll()
        }
        #expect(device == nil)
    }
}

@Suite struct BaseAddressTests {
    @Test func sizesAreFoundByWritingOnes() throws {
        let fixture = try PCIFixture()
        fixture.write(1, 0x10, 0xFFFF_FFFF)
        fixture.write(1, 0x14, 0xFFFF_FFFF)
        fixture.write(1, 0x18, 0xFFFF_FFFF)
        #expect(fixture.read(1, 0x10) == 0xFFFF_8004)
        #expect(fixture.read(1, 0x14) == 0xFFFF_FFFF)
        #expect(fixture.read(1, 0x18) == 0xFFFF_F000)
        #expect(fixture.read(1, 0x1C) == 0)
    }

    @Test func addressesAreGivenAlignedInTheFirstWindow() throws {
        let fixture = try PCIFixture()
        #expect(fixture.wideAddress == 0xC000_0000)
        #expect(fixture.read(1, 0x18) == 0xC000_8000)
    }

    @Test func rangeAnswersOnlyWhileMemoryIsDecoded() throws {
        let fixture = try PCIFixture()
        fixture.memory.write(at: fixture.wideAddress, width: 4, value: 7)
        #expect(fixture.device.register.load(ordering: .relaxed) == 0)
        fixture.enableMemory()
        fixture.memory.write(at: fixture.wideAddress, width: 4, value: 7)
        #expect(fixture.memory.read(at: fixture.wideAddress, width: 4) == 7)
        fixture.write(1, 0x04, 0, width: 2)
        #expect(fixture.memory.read(at: fixture.wideAddress, width: 4) == 0xFFFF_FFFF)
        #expect(fixture.device.movesOfWideRange == [0xC000_0000, nil])
    }

    @Test func rangeFollowsTheGuest() throws {
        let fixture = try PCIFixture()
        fixture.enableMemory()
        fixture.device.register.store(9, ordering: .relaxed)
        fixture.write(1, 0x10, 0x2000_0000)
        fixture.write(1, 0x14, 0x100)
        let moved: UInt64 = 0x100_2000_0000
        #expect(fixture.memory.read(at: 0xC000_0000, width: 4) == 0xFFFF_FFFF)
        #expect(fixture.memory.read(at: moved, width: 4) == 9)
        #expect(fixture.device.movesOfWideRange == [0xC000_0000, nil, moved])
    }

    @Test(arguments: [0xFEE0_0000, 0xFFFF_8000, 0xE000_0000, 0xDFFF_F000] as [UInt64])
    func rangeOutsideTheWindowsAnswersNowhere(address: UInt64) throws {
        let fixture = try PCIFixture()
        fixture.enableMemory()
        fixture.write(1, 0x18, 0xD000_0000)
        fixture.write(1, 0x10, address)
        // 0xDFFF_F000 is cut to the size of the range, which lies inside the window.
        let expected: UInt64? = address == 0xDFFF_F000 ? 0xDFFF_8000 : nil
        #expect(fixture.device.movesOfWideRange.last == expected)
    }

    @Test func twoRangesAtOneAddressDoNotTrap() throws {
        let fixture = try PCIFixture()
        fixture.enableMemory()
        fixture.write(1, 0x18, 0xC000_1000)
        fixture.write(1, 0x10, 0xD000_0000)
        fixture.write(1, 0x18, 0xC000_1000)
        #expect(fixture.memory.read(at: 0xD000_0000, width: 4) == 0)
        #expect(fixture.memory.read(at: 0xC000_1000, width: 4) == 0)
    }
}
