internal import LinuxSystem

/// Moves frames between one pair of queues and one queue of the tap, on a thread of its own.
struct NetPair: ~Copyable {
    /// What the waiter reports.
    private enum Token {
        static let receive: UInt64 = 0
        static let transmit: UInt64 = 1
        static let control: UInt64 = 2
        static let tap: UInt64 = 3
    }

    /// Frames that are moved in one direction before the other has its turn.
    private static let budget = 64

    private let port: Port
    private var receiveChain: DescriptorChain
    private var transmitChain: DescriptorChain
    /// Whether the tap is waited for. It is not while the driver has no buffers: frames then wait
    /// in the tap's own queue, and are dropped there when it is full.
    private var isListening = false

    /// What a pair works on.
    struct Port: Sendable {
        let receive: DeviceQueue
        let transmit: DeviceQueue
        /// The control queue, for one pair of a device.
        let control: NetControl?
        let tap: TapBackend.Queue
        let activation: DeviceActivation
        let stop: StopFlag
        let received: FrameCounters
        let transmitted: FrameCounters
        let fail: @Sendable (SystemError) -> Void
    }

    init(_ port: Port) {
        self.port = port
        receiveChain = DescriptorChain(memory: port.activation.memory)
        transmitChain = DescriptorChain(memory: port.activation.memory)
    }

    /// Works until the thread is asked to stop.
    mutating func run(stop: borrowing EventDescriptor) throws(SystemError) {
        let waiter = try EventWaiter(stop: stop)
        try waiter.add(port.receive.doorbell.descriptor, token: Token.receive)
        try waiter.add(port.transmit.doorbell.descriptor, token: Token.transmit)
        if let control = port.control {
            try waiter.add(control.queue.doorbell.descriptor, token: Token.control)
            control.serve(&transmitChain, until: port.stop)
        }
        // Doorbells may have rung before a move.
        transmit()
        receive(waiter)
        try waiter.run { token in
            switch token {
            case Token.receive:
                port.receive.doorbell.drain()
                receive(waiter)
            case Token.transmit:
                port.transmit.doorbell.drain()
                transmit()
            case Token.control:
                port.control?.queue.doorbell.drain()
                port.control?.serve(&transmitChain, until: port.stop)
            default:
                receive(waiter)
            }
        }
    }

    private mutating func transmit() {
        port.transmit.serve(
            &transmitChain, limit: Self.budget, until: port.stop, port.activation.notifier
        ) { chain in
            let count = chain.readable.byteCount
            do throws(SystemError) {
                _ = try chain.readable.empty(from: 0, count: count, to: port.tap.tap.descriptor)
                port.transmitted.add(bytes: count - Tap.headerSize)
            } catch {
                // As on any network, a frame that cannot be sent is lost. Those that make no
                // sense are the driver's affair, and an interface that is down is the host's.
                switch error.errno {
                case .invalidArgument, .wouldBlock, .inputOutput, .badDescriptorState: break
                default: port.fail(error)
                }
            }
            return 0
        }
    }

    private mutating func receive(_ waiter: borrowing EventWaiter) {
        let outcome = port.receive.withRing(port.activation.notifier) {
            ring throws(VirtqueueError) in
            try fill(&ring)
        }
        do throws(SystemError) {
            switch outcome {
            case .mayHaveMore:
                if !isListening {
                    try waiter.add(port.tap.tap.descriptor, token: Token.tap)
                    isListening = true
                }
            case .needsBuffers, .failed, nil:
                if isListening {
                    try waiter.remove(port.tap.tap.descriptor)
                    isListening = false
                }
            }
        } catch {
            port.fail(error)
        }
    }

    /// Why no frame is moved to the driver any more.
    private enum ReceiveOutcome {
        /// The tap is empty, or it is the other direction's turn.
        case mayHaveMore
        /// The driver will ring when it has offered buffers.
        case needsBuffers
        /// The tap cannot be read; it is tried again when the driver rings.
        case failed
    }

    private mutating func fill(_ ring: inout Virtqueue) throws(VirtqueueError) -> ReceiveOutcome {
        var outcome = ReceiveOutcome.mayHaveMore
        var count = 0
        while count < Self.budget, !port.stop.isSet {
            guard try ring.next(into: &receiveChain) else {
                if try ring.enableNotifications() { continue }
                outcome = .needsBuffers
                break
            }
            guard let length = receiveFrame(&outcome) else {
                ring.putBack()
                break
            }
            try ring.complete(head: receiveChain.head, written: UInt32(clamping: length))
            port.received.add(bytes: length - Tap.headerSize)
            count += 1
        }
        if count > 0, try ring.needsInterrupt() { port.activation.notifier.interrupt(port.receive) }
        return outcome
    }

    /// Reads one frame into the buffers in hand.
    ///
    /// - Returns: its length with the header; nil when there is none.
    private mutating func receiveFrame(_ outcome: inout ReceiveOutcome) -> Int? {
        do throws(SystemError) {
            let room = receiveChain.writable.byteCount
            let length = try receiveChain.writable.fill(
                from: 0, count: room, by: port.tap.tap.descriptor)
            // The frame takes one buffer; the kernel leaves that field of the header alone.
            receiveChain.writable.store(1 as UInt16, at: 10)
            return length
        } catch {
            switch error.errno {
            case .wouldBlock:
                break
            case .badDescriptorState:
                // The driver has switched this pair off; the doorbell tells when it is on again.
                outcome = .failed
            default:
                port.fail(error)
                outcome = .failed
            }
            return nil
        }
    }
}
