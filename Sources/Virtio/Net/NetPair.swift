internal import LinuxSystem

/// Moves packets between one pair of queues and one queue of the tap, on a thread of its own.
struct NetPair: ~Copyable {
    /// What the waiter reports.
    private enum Token {
        static let receive: UInt64 = 0
        static let transmit: UInt64 = 1
        static let control: UInt64 = 2
        static let tap: UInt64 = 3
        static let announcements: UInt64 = 4
    }

    /// Packets that are moved in one direction before the other has its turn.
    private static let budget = 64

    private let port: Port
    private var receiver: NetReceiver
    private var transmitChain: DescriptorChain
    /// Whether the tap is waited for. It is not while the driver has no buffers: packets then wait
    /// in the tap's own queue, and are dropped there when it is full.
    private var isListening = false

    /// What a pair works on.
    struct Port: Sendable {
        let receive: DeviceQueue
        let transmit: DeviceQueue
        /// The control queue, for one pair of a device.
        let control: NetControl?
        /// What announces the guest, for one pair of a device.
        let announcements: NetAnnouncer.Schedule?
        let tap: TapBackend.Queue
        let activation: DeviceActivation
        let stop: StopFlag
        let received: FrameCounters
        let transmitted: FrameCounters
        let isLinkUp: @Sendable () -> Bool
        let fail: @Sendable (SystemError) -> Void
    }

    init(_ port: Port) throws(SystemError) {
        self.port = port
        receiver = try NetReceiver(port)
        transmitChain = DescriptorChain(memory: port.activation.memory)
    }

    /// Works until the thread is asked to stop.
    mutating func run(stop: borrowing EventDescriptor) throws(SystemError) {
        let waiter = try EventWaiter(stop: stop)
        try waiter.add(port.receive.doorbell.descriptor, token: Token.receive)
        try waiter.add(port.transmit.doorbell.descriptor, token: Token.transmit)
        try port.announcements?.add(to: waiter, token: Token.announcements)
        if let control = port.control {
            try waiter.add(control.queue.doorbell.descriptor, token: Token.control)
            control.serve(&transmitChain, until: port.stop)
        }
        // Doorbells may have rung before a move.
        transmit()
        receive(waiter)
        defer { receiver.end() }
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
            case Token.announcements:
                port.announcements?.proceed()
            default:
                receive(waiter)
            }
        }
    }

    private mutating func transmit() {
        port.transmit.serve(
            &transmitChain, limit: Self.budget, until: port.stop, port.activation.notifier
        ) { chain throws(VirtqueueError) in
            let count = chain.readable.byteCount
            guard (Tap.headerSize...Tap.maximumPacketSize).contains(count) else {
                throw .malformedRequest(
                    "of \(count) bytes, which are no packet: \(Tap.headerSize) to "
                        + "\(Tap.maximumPacketSize) would be one")
            }
            guard port.isLinkUp() else {
                port.transmitted.addDropped()
                return 0
            }
            do throws(SystemError) {
                _ = try chain.readable.empty(from: 0, count: count, to: port.tap.tap.descriptor)
                port.transmitted.add(bytes: count - Tap.headerSize)
            } catch {
                port.transmitted.addDropped()
                if !error.isLossOfOneFrame { port.fail(error) }
            }
            return 0
        }
    }

    private mutating func receive(_ waiter: borrowing EventWaiter) {
        let outcome = port.receive.withRing(port.activation.notifier) {
            ring throws(VirtqueueError) in
            try receiver.fill(&ring, limit: Self.budget)
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
}

extension SystemError {
    /// Whether a packet could not be sent for a reason that says nothing about the next: as on any
    /// network it is lost. Those that make no sense are the driver's affair, an interface that is
    /// down or a queue that is full is the host's.
    var isLossOfOneFrame: Bool {
        switch errno {
        case .invalidArgument, .wouldBlock, .inputOutput, .badDescriptorState, .messageTooLong,
            .noBufferSpace, .noMemory:
            true
        default: false
        }
    }
}
