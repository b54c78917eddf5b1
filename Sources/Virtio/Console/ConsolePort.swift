internal import LinuxSystem
internal import Machine

/// Moves bytes between the queues of a console's only port and its line, on a thread of its own.
///
/// Linux's driver waits for each of its writes, with interrupts off, until the device has taken it:
/// so output is taken even when nobody reads it, and the line drops what is too much. Input that
/// the driver has no buffers for waits in the backlog.
struct ConsolePort: ~Copyable {
    /// What the waiter reports.
    private enum Token {
        static let receive: UInt64 = 0
        static let transmit: UInt64 = 1
        static let input: UInt64 = 2
    }

    /// The most bytes that are taken out of the guest at once.
    private static let pieceSize = 4096

    /// What a port works on.
    struct Parts: Sendable {
        let receive: DeviceQueue
        let transmit: DeviceQueue
        let line: SerialLine
        let backlog: ConsoleBacklog
        let activation: DeviceActivation
        let stop: StopFlag
    }

    private let parts: Parts
    private var receiveChain: DescriptorChain
    private var transmitChain: DescriptorChain

    init(_ parts: Parts) {
        self.parts = parts
        receiveChain = DescriptorChain(memory: parts.activation.memory)
        transmitChain = DescriptorChain(memory: parts.activation.memory)
    }

    /// Works until the thread is asked to stop.
    mutating func run(stop: borrowing EventDescriptor) throws(SystemError) {
        let waiter = try EventWaiter(stop: stop)
        try waiter.add(parts.receive.doorbell.descriptor, token: Token.receive)
        try waiter.add(parts.transmit.doorbell.descriptor, token: Token.transmit)
        try waiter.add(parts.backlog.arrival.descriptor, token: Token.input)
        transmit()
        receive()
        try waiter.run { token in
            switch token {
            case Token.receive:
                parts.receive.doorbell.drain()
                receive()
            case Token.transmit:
                parts.transmit.doorbell.drain()
                transmit()
            default:
                parts.backlog.arrival.drain()
                receive()
            }
        }
    }

    /// From the guest.
    private mutating func transmit() {
        let (line, stop) = (parts.line, parts.stop)
        parts.transmit.serve(&transmitChain, until: stop, parts.activation.notifier) { chain in
            var done = 0
            while done < chain.readable.byteCount {
                let piece = chain.readable.bytes(from: done, limit: Self.pieceSize)
                line.write(piece) { stop.isSet }
                done += piece.count
            }
            return 0
        }
    }

    /// To the guest.
    private mutating func receive() {
        _ = parts.receive.withRing(parts.activation.notifier) { ring throws(VirtqueueError) in
            while !parts.stop.isSet, try fill(&ring) {}
        }
        if parts.backlog.hasRoom { parts.line.continueInput() }
    }

    /// Moves input into the driver's next buffer.
    ///
    /// - Returns: whether there may be more to move.
    private mutating func fill(_ ring: inout Virtqueue) throws(VirtqueueError) -> Bool {
        let input = parts.backlog.prefix(Self.pieceSize)
        guard !input.isEmpty else { return false }
        guard try ring.next(into: &receiveChain) else { return try ring.enableNotifications() }
        guard !receiveChain.writable.isEmpty else {
            throw .malformedRequest("without room for input")
        }
        let count = receiveChain.writable.write(input)
        try ring.complete(head: receiveChain.head, written: UInt32(clamping: count))
        parts.backlog.remove(count)
        if try ring.needsInterrupt() { parts.activation.notifier.interrupt(parts.receive) }
        return true
    }
}
