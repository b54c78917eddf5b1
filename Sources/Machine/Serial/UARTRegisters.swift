/// The registers of a 16550A serial port, as a value: what the guest does goes in, what happens
/// outside comes out.
///
/// The transmitter is always empty, since bytes are handed on at once. Source: National
/// Semiconductor PC16550D data sheet.
struct UARTRegisters: Hashable {
    /// What a write to a register brings about outside.
    struct Effect: Equatable {
        /// A byte to send.
        var output: UInt8?
        /// Whether the interrupt went from inactive to active.
        var raisesInterrupt = false
    }

    /// The number of registers.
    static let count: UInt64 = 8

    /// Bytes that the receive FIFO holds.
    static let fifoCapacity = 16

    var divisor: UInt16 = 12  // 9600 baud; nothing here depends on it
    var interruptEnable: UInt8 = 0
    var fifoControl: UInt8 = 0
    var lineControl: UInt8 = 0
    var modemControl: UInt8 = 0
    var scratch: UInt8 = 0
    var received: [UInt8] = []
    var hasOverrun = false
    /// Whether the empty transmitter has not been noticed yet.
    var transmitterEmptyIsPending = false
    /// Changed modem lines since the last look, the low four bits of the modem status.
    var modemChanges: UInt8 = 0

    /// Whether a byte can be received without loss.
    var canReceive: Bool { received.count < capacity }

    /// Takes a byte from the line. Without room it is lost and an overrun is recorded.
    mutating func receive(_ byte: UInt8) -> Effect {
        changing { registers in registers.enqueue(byte) }
    }

    /// Reads a register. It changes state: bytes are taken, conditions acknowledged.
    mutating func read(_ register: UInt64) -> UInt8 {
        switch register {
        case 0 where accessesDivisor: return UInt8(truncatingIfNeeded: divisor)
        case 1 where accessesDivisor: return UInt8(truncatingIfNeeded: divisor >> 8)
        case 0: return received.isEmpty ? 0 : received.removeFirst()
        case 1: return interruptEnable
        case 2: return readIdentification()
        case 3: return lineControl
        case 4: return modemControl
        case 5:
            defer { hasOverrun = false }
            return lineStatus
        case 6:
            defer { modemChanges = 0 }
            return modemLines | modemChanges
        case 7: return scratch
        default: return 0xff
        }
    }

    /// Writes a register.
    mutating func write(_ register: UInt64, _ value: UInt8) -> Effect {
        var output: UInt8?
        var effect = changing { registers in
            switch register {
            case 0 where registers.accessesDivisor:
                registers.divisor = registers.divisor & 0xff00 | UInt16(value)
            case 1 where registers.accessesDivisor:
                registers.divisor = registers.divisor & 0x00ff | UInt16(value) << 8
            case 0: output = registers.transmit(value)
            case 1: registers.setInterruptEnable(value)
            case 2: registers.setFIFOControl(value)
            case 3: registers.lineControl = value
            case 4: registers.setModemControl(value)
            case 7: registers.scratch = value
            default: break  // the status registers cannot be written
            }
        }
        effect.output = output
        return effect
    }

    /// Whether the interrupt is active.
    var interruptIsActive: Bool { identification != 0b0001 }

    private mutating func changing(_ body: (inout UARTRegisters) -> Void) -> Effect {
        let wasActive = interruptIsActive
        body(&self)
        return Effect(raisesInterrupt: !wasActive && interruptIsActive)
    }

    private var accessesDivisor: Bool { lineControl & 0x80 != 0 }
    private var isLoopback: Bool { modemControl & 0x10 != 0 }
    private var hasFIFO: Bool { fifoControl & 1 != 0 }
    private var capacity: Int { hasFIFO ? Self.fifoCapacity : 1 }

    /// How many bytes the guest wants to be there before it is interrupted.
    private var trigger: Int { hasFIFO ? [1, 4, 8, 14][Int(fifoControl >> 6)] : 1 }

    private var lineStatus: UInt8 {
        0x60 | (received.isEmpty ? 0 : 0x01) | (hasOverrun ? 0x02 : 0)
    }

    /// The modem lines that come in: always ready, or in loopback those that go out.
    private var modemLines: UInt8 {
        guard isLoopback else { return 0xb0 }  // carrier, data set ready, clear to send
        let out = modemControl
        return (out & 0x01) << 5 | (out & 0x02) << 3 | (out & 0x04) << 4 | (out & 0x08) << 4
    }

    /// The highest active condition as the identification register shows it; 1 for none.
    private var identification: UInt8 {
        if interruptEnable & 0x04 != 0, hasOverrun { return 0b0110 }
        if interruptEnable & 0x01 != 0, !received.isEmpty {
            // Fewer bytes than wanted count as well once the line is idle, which it always is.
            return received.count >= trigger ? 0b0100 : 0b1100
        }
        if interruptEnable & 0x02 != 0, transmitterEmptyIsPending { return 0b0010 }
        if interruptEnable & 0x08 != 0, modemChanges != 0 { return 0b0000 }
        return 0b0001
    }

    private mutating func readIdentification() -> UInt8 {
        let value = identification
        if value == 0b0010 { transmitterEmptyIsPending = false }
        return value | (hasFIFO ? 0xc0 : 0)
    }

    private mutating func enqueue(_ byte: UInt8) {
        if received.count < capacity {
            received.append(byte)
        } else {
            hasOverrun = true
        }
    }

    /// Sends a byte, or receives it in loopback; the transmitter is empty again at once.
    private mutating func transmit(_ byte: UInt8) -> UInt8? {
        transmitterEmptyIsPending = true
        guard isLoopback else { return byte }
        enqueue(byte)
        return nil
    }

    private mutating func setInterruptEnable(_ value: UInt8) {
        if value & ~interruptEnable & 0x02 != 0 { transmitterEmptyIsPending = true }
        interruptEnable = value & 0x0f
    }

    private mutating func setFIFOControl(_ value: UInt8) {
        if value & 0x02 != 0 || (value ^ fifoControl) & 0x01 != 0 { received.removeAll() }
        // Bits 1 and 2 act once and do not stay; nothing is ever waiting to be sent.
        fifoControl = value & 1 != 0 ? value & 0xc9 : 0
    }

    private mutating func setModemControl(_ value: UInt8) {
        let before = modemLines
        modemControl = value & 0x1f
        let changed = (before ^ modemLines) >> 4
        // The ring indicator counts only when it ends.
        let ringEnded = before & 0x40 != 0 && modemLines & 0x40 == 0
        modemChanges |= changed & 0b1011 | (ringEnded ? 0b0100 : 0)
    }
}
