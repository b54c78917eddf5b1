public import LinuxSystem
public import StateCoding
private import Synchronization

/// The guest's serial port, a 16550A.
///
/// It is built unconnected: until `bind` sent bytes are dropped and none is received. The port is
/// saved with what was received and not read; bytes on their way out are the source's to write.
public final class SerialPort: BusDevice {
    /// The port addresses of the first serial port of a PC.
    public static let ports: Range<UInt64> = 0x3f8..<0x400

    /// The interrupt line of the first serial port of a PC.
    public static let interruptLine: UInt32 = 4

    private struct State {
        var registers = UARTRegisters()
        /// Input for which the receive FIFO has no room.
        var backlog: [UInt8] = []
        var line: SerialLine?
    }

    private let interrupt: InterruptLine
    private let state = Mutex(State())

    /// A port after power-on.
    public init(interrupt: InterruptLine) {
        self.interrupt = interrupt
    }

    /// Connects the port to what any number of processes may have open.
    ///
    /// - Parameter loop: where output is written and input awaited.
    public func bind(_ output: SerialOutput, loop: EventLoop) throws(SystemError) {
        try makeLine(to: output, loop).bind()
    }

    /// Writes what the guest sends to `target`, whose flags are left alone.
    public func bind(
        output target: consuming OwnedDescriptor, loop: EventLoop
    ) throws(SystemError) {
        try (line ?? makeLine(to: .null, loop)).attach(output: target)
    }

    /// Passes what `source` gives to the guest, from the next `resume` on. A source that cannot be
    /// waited for, such as /dev/null, gives nothing.
    public func bind(
        input source: consuming OwnedDescriptor, loop: EventLoop
    ) {
        (line ?? makeLine(to: .null, loop)).attach(input: source)
    }

    private func makeLine(to output: SerialOutput, _ loop: EventLoop) -> SerialLine {
        let line = SerialLine(
            to: output, loop: loop,
            receiver: SerialLine.Receiver(
                receive: { [weak self] bytes in self?.receive(bytes) ?? false },
                hasRoom: { [weak self] in self?.state.withLock { Self.wantsInput($0) } ?? false }))
        state.withLock { $0.line = line }
        return line
    }

    private var line: SerialLine? { state.withLock { $0.line } }

    /// Where the users of the port's own terminal find it; nil without one.
    public var terminalPath: String? { line?.terminalPath }

    /// Takes what only one process can have.
    public func takeOver() throws(SystemError) { try line?.takeOver() }

    /// Lets go of what only one process can have.
    public func release() { line?.release() }

    /// Takes back what `release` let go.
    public func reclaim() throws(SystemError) { try line?.reclaim() }

    /// Disconnects the port, after writing what can be written without waiting.
    public func unbind() {
        let line = state.withLock { state in
            defer { state.line = nil }
            return state.line
        }
        line?.unbind()
    }

    /// Takes no input until `resume`, so that neither registers nor interrupt change, and writes
    /// what the guest has sent, as far as that needs no waiting.
    public func quiesce() { line?.quiesce() }

    /// Takes input, for a guest that runs.
    public func resume() { line?.resume() }

    /// The number of bytes dropped because nobody read them.
    public var droppedBytes: UInt64 { line?.droppedBytes ?? 0 }

    /// Answers a read of a register; see `BusDevice`.
    public func read(offset: UInt64, width: Int) -> UInt64 {
        guard width == 1 else { return .max }
        let (value, raises, line) = state.withLock { state in
            let value = state.registers.read(offset)
            let raises = Self.refill(&state)
            return (value, raises, Self.wantsInput(state) ? state.line : nil)
        }
        if raises { interrupt.trigger() }
        line?.continueInput()
        return UInt64(value)
    }

    /// Takes a write to a register; see `BusDevice`.
    public func write(offset: UInt64, width: Int, value: UInt64) {
        guard width == 1 else { return }
        let (effect, line) = state.withLock { state in
            var effect = state.registers.write(offset, UInt8(truncatingIfNeeded: value))
            if Self.refill(&state) { effect.raisesInterrupt = true }
            return (effect, state.line)
        }
        if let byte = effect.output { line?.append(byte) }
        if effect.raisesInterrupt { interrupt.trigger() }
    }

    /// Takes input for the guest.
    ///
    /// - Returns: whether there is room for more.
    private func receive(_ bytes: [UInt8]) -> Bool {
        let (raises, hasRoom) = state.withLock { state in
            state.backlog += bytes
            return (Self.refill(&state), Self.wantsInput(state))
        }
        if raises { interrupt.trigger() }
        return hasRoom
    }

    /// Whether there is room for as much input as is read at once.
    private static func wantsInput(_ state: borrowing State) -> Bool {
        state.backlog.count < SerialState.backlogLimit / 2
    }

    /// Moves waiting input into the receive FIFO.
    ///
    /// - Returns: whether that raised the interrupt.
    private static func refill(_ state: inout State) -> Bool {
        var raises = false
        while !state.backlog.isEmpty, state.registers.canReceive {
            let effect = state.registers.receive(state.backlog.removeFirst())
            raises = raises || effect.raisesInterrupt
        }
        return raises
    }
}

extension SerialPort {
    /// The kind of its state and the state's version.
    public static var component: ComponentVersion {
        ComponentVersion(name: SerialState.name, version: SerialState.version)
    }

    /// Appends the port's state. Nothing may reach the port meanwhile.
    public func save(into writer: inout StateWriter) {
        writer.append(
            state.withLock { SerialState(registers: $0.registers, backlog: $0.backlog) })
    }

    /// Takes over a saved state.
    public func load(from reader: inout StateReader) throws(StateError) {
        let saved = try reader.read(SerialState.self)
        state.withLock { state in
            state.registers = saved.registers
            state.backlog = saved.backlog
        }
    }
}
