import StateCoding

/// The saved state of the serial port: its registers, and input that the guest has not read.
struct SerialState: VersionedState, Equatable {
    static let name = "serial"
    static let version: UInt16 = 1

    /// More input than this is never kept, so a longer list is not from us.
    static let backlogLimit = 4096

    var registers = UARTRegisters()
    var backlog: [UInt8] = []

    init(registers: UARTRegisters, backlog: [UInt8]) {
        self.registers = registers
        self.backlog = backlog
    }

    func encode(into writer: inout StateWriter) {
        writer.append(registers.divisor)
        writer.append(registers.interruptEnable)
        writer.append(registers.fifoControl)
        writer.append(registers.lineControl)
        writer.append(registers.modemControl)
        writer.append(registers.scratch)
        writer.append(registers.modemChanges)
        writer.append(registers.hasOverrun)
        writer.append(registers.transmitterEmptyIsPending)
        writer.appendBytes(registers.received)
        writer.appendBytes(backlog)
    }

    init(from reader: inout StateReader, version: UInt16) throws(StateError) {
        registers.divisor = try reader.readUInt16()
        registers.interruptEnable = try reader.readUInt8() & 0x0f
        registers.fifoControl = try reader.readUInt8() & 0xc9
        registers.lineControl = try reader.readUInt8()
        registers.modemControl = try reader.readUInt8() & 0x1f
        registers.scratch = try reader.readUInt8()
        registers.modemChanges = try reader.readUInt8() & 0x0f
        registers.hasOverrun = try reader.readBool()
        registers.transmitterEmptyIsPending = try reader.readBool()
        registers.received = try reader.readBytes()
        guard registers.received.count <= UARTRegisters.fifoCapacity else {
            throw reader.invalid("the receive FIFO holds \(registers.received.count) bytes")
        }
        backlog = try reader.readBytes()
        guard backlog.count <= Self.backlogLimit else {
            throw reader.invalid("\(backlog.count) bytes of input are waiting")
        }
    }
}
