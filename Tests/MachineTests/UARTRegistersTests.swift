import StateCoding
import Testing

@testable import Machine

@Suite struct UARTRegistersTests {
    private var registers = UARTRegisters()

    @Test mutating func writtenByteGoesOut() {
        #expect(registers.write(0, 0x41) == .init(output: 0x41, raisesInterrupt: false))
        #expect(registers.read(5) == 0x60)
    }

    @Test mutating func divisorHidesBehindTheLineControl() {
        _ = registers.write(3, 0x83)
        #expect(registers.write(0, 0x34).output == nil)
        _ = registers.write(1, 0x12)
        #expect(registers.divisor == 0x1234)
        #expect(registers.read(0) == 0x34)
        #expect(registers.read(1) == 0x12)
        _ = registers.write(3, 0x03)
        #expect(registers.write(0, 0x34).output == 0x34)
    }

    @Test mutating func emptyTransmitterInterruptsOnceUntilAcknowledged() {
        #expect(registers.write(1, 0x02).raisesInterrupt)
        #expect(!registers.write(0, 0x41).raisesInterrupt)
        #expect(registers.read(2) == 0x02)
        #expect(registers.read(2) == 0x01)
        #expect(registers.write(0, 0x42).raisesInterrupt)
    }

    @Test mutating func receivedByteInterruptsAndIsRead() {
        _ = registers.write(1, 0x01)
        #expect(registers.receive(0x61).raisesInterrupt)
        #expect(registers.read(2) == 0x04)
        #expect(registers.read(5) & 1 == 1)
        #expect(registers.read(0) == 0x61)
        #expect(registers.read(5) & 1 == 0)
        #expect(registers.read(2) == 0x01)
    }

    @Test mutating func withoutFIFOTheSecondByteIsAnOverrun() {
        _ = registers.receive(1)
        #expect(!registers.canReceive)
        _ = registers.receive(2)
        #expect(registers.read(5) == 0x63)
        #expect(registers.read(5) == 0x61)
        #expect(registers.read(0) == 1)
    }

    @Test mutating func fifoHoldsSixteenBytesAndTellsTheTrigger() {
        _ = registers.write(1, 0x01)
        _ = registers.write(2, 0x41)  // on, trigger at 4
        for byte in 0..<3 as Range<UInt8> { _ = registers.receive(byte) }
        #expect(registers.read(2) == 0xcc)
        _ = registers.receive(3)
        #expect(registers.read(2) == 0xc4)
        for byte in 4..<16 as Range<UInt8> { _ = registers.receive(byte) }
        #expect(!registers.canReceive)
        for byte in 0..<16 as Range<UInt8> { #expect(registers.read(0) == byte) }
    }

    @Test mutating func fifoIsEmptiedOnRequest() {
        _ = registers.write(2, 0x01)
        _ = registers.receive(1)
        _ = registers.write(2, 0x03)
        #expect(registers.read(5) & 1 == 0)
    }

    @Test mutating func loopbackReceivesWhatIsSent() {
        _ = registers.write(4, 0x10)
        #expect(registers.write(0, 0x55).output == nil)
        #expect(registers.read(0) == 0x55)
        _ = registers.write(4, 0x1f)
        #expect(registers.read(6) & 0xf0 == 0xf0)
        _ = registers.write(4, 0x12)
        #expect(registers.read(6) & 0xf0 == 0x10)
    }

    @Test mutating func modemStatusTellsReadyLinesAndChangesOnce() {
        #expect(registers.read(6) == 0xb0)
        _ = registers.write(1, 0x08)
        #expect(registers.write(4, 0x10).raisesInterrupt)
        #expect(registers.read(2) == 0x00)
        #expect(registers.read(6) == 0x0b)
        #expect(registers.read(6) == 0x00)
        #expect(registers.read(2) == 0x01)
    }

    @Test mutating func scratchRegisterKeepsItsValue() {
        _ = registers.write(7, 0xa5)
        #expect(registers.read(7) == 0xa5)
    }

    @Test mutating func stateRoundTrips() throws {
        for (register, value) in [(3, 0x1b), (1, 0x0f), (2, 0xc1), (4, 0x0b), (7, 0x77)] {
            _ = registers.write(UInt64(register), UInt8(value))
        }
        for byte in 0..<17 as Range<UInt8> { _ = registers.receive(byte) }
        let state = SerialState(registers: registers, backlog: [1, 2, 3])
        var writer = StateWriter()
        writer.append(state)
        var reader = StateReader(writer.bytes)
        #expect(try reader.read(SerialState.self) == state)
    }

    @Test func overlongFIFOInStateIsRefused() throws {
        var registers = UARTRegisters()
        registers.received = [UInt8](repeating: 0, count: 17)
        var writer = StateWriter()
        writer.append(SerialState(registers: registers, backlog: []))
        var reader = StateReader(writer.bytes)
        #expect(throws: StateError.self) { try reader.read(SerialState.self) }
    }
}
