internal import LinuxSystem

/// Moves bytes between the queues of a console's only port and its streams, on a thread of its own.
///
/// It never waits in a stream: output that nobody reads stays in the driver's buffers, and input
/// that the driver has no buffers for stays in the stream.
struct ConsolePort: ~Copyable {
    /// What the waiter reports.
    private enum Token {
        static let receive: UInt64 = 0
        static let transmit: UInt64 = 1
        static let input: UInt64 = 2
        static let output: UInt64 = 3
    }

    /// The most bytes that are written at once. A pipe that is ready takes as much without waiting.
    private static let pieceSize = 512

    /// What a port works on.
    struct Parts: Sendable {
        let receive: DeviceQueue
        let transmit: DeviceQueue
        let backend: ConsoleBackend
        let progress: ConsoleProgress
        let activation: DeviceActivation
        let stop: StopFlag
        let fail: @Sendable (SystemError) -> Void
    }

    private let parts: Parts
    private var receiveChain: DescriptorChain
    private var transmitChain: DescriptorChain
    private var isListening = false
    private var isWaitingForReader = false
    /// The input has ended, or cannot be waited for.
    private var hasInputEnded: Bool

    init(_ parts: Parts) {
        self.parts = parts
        receiveChain = DescriptorChain(memory: parts.activation.memory)
        transmitChain = DescriptorChain(memory: parts.activation.memory)
        hasInputEnded = parts.backend.input == nil
    }

    /// Works until the thread is asked to stop.
    mutating func run(stop: borrowing EventDescriptor) throws(SystemError) {
        let waiter = try EventWaiter(stop: stop)
        try waiter.add(parts.receive.doorbell.descriptor, token: Token.receive)
        try waiter.add(parts.transmit.doorbell.descriptor, token: Token.transmit)
        transmit(waiter)
        receive(waiter)
        try waiter.run { token in
            switch token {
            case Token.receive:
                parts.receive.doorbell.drain()
                receive(waiter)
            case Token.transmit:
                parts.transmit.doorbell.drain()
                transmit(waiter)
            case Token.output:
                setWaitingForReader(false, waiter)
                transmit(waiter)
            default:
                receive(waiter)
            }
        }
    }
}

/// From the guest.
extension ConsolePort {
    private mutating func transmit(_ waiter: borrowing EventWaiter) {
        guard !isWaitingForReader else { return }
        let isStuck =
            parts.transmit.withRing(parts.activation.notifier) {
                ring throws(VirtqueueError) -> Bool in
                repeat {
                    try ring.disableNotifications()
                    while !parts.stop.isSet, try ring.next(into: &transmitChain) {
                        guard writeOut() else {
                            ring.putBack()
                            return true
                        }
                        try ring.complete(head: transmitChain.head, written: 0)
                        if try ring.needsInterrupt() {
                            parts.activation.notifier.interrupt(parts.transmit)
                        }
                    }
                } while try ring.enableNotifications() && !parts.stop.isSet
                return false
            } ?? false
        if isStuck { setWaitingForReader(true, waiter) }
    }

    /// Writes the request in hand, from where it was left.
    ///
    /// - Returns: false when the reader takes no more for now.
    private mutating func writeOut() -> Bool {
        guard let output = parts.backend.output else { return true }
        var done = parts.progress.transmitted
        do throws(SystemError) {
            while done < transmitChain.readable.byteCount {
                try output.descriptor.wait(for: .writable, deadline: .now)
                done += try transmitChain.readable.empty(
                    from: done, count: Self.pieceSize, to: output.descriptor)
            }
        } catch {
            if error.errno == .timedOut || error.errno == .wouldBlock {
                parts.progress.setTransmitted(done)
                return false
            }
            // The reader is gone for good; the guest shall not stand still for that.
            parts.fail(error)
        }
        parts.progress.setTransmitted(0)
        return true
    }

    private mutating func setWaitingForReader(_ waits: Bool, _ waiter: borrowing EventWaiter) {
        guard waits != isWaitingForReader, let output = parts.backend.output else { return }
        do throws(SystemError) {
            if waits {
                try waiter.add(output.descriptor, for: .writable, token: Token.output)
            } else {
                try waiter.remove(output.descriptor)
            }
            isWaitingForReader = waits
        } catch {
            parts.fail(error)
        }
    }
}

/// To the guest.
extension ConsolePort {
    private mutating func receive(_ waiter: borrowing EventWaiter) {
        guard !hasInputEnded, let input = parts.backend.input else { return }
        let wantsMore =
            parts.receive.withRing(parts.activation.notifier) {
                ring throws(VirtqueueError) -> Bool in
                try fill(&ring, from: input)
            } ?? false
        listen(wantsMore && !hasInputEnded, to: input, waiter)
    }

    /// Reads what there is into the driver's buffers.
    ///
    /// - Returns: whether the driver has buffers for more.
    private mutating func fill(
        _ ring: inout Virtqueue, from input: SharedDescriptor
    ) throws(VirtqueueError) -> Bool {
        while !parts.stop.isSet {
            guard try ring.next(into: &receiveChain) else {
                if try ring.enableNotifications() { continue }
                return false
            }
            let count = readIn(input)
            guard count > 0 else {
                ring.putBack()
                return true
            }
            try ring.complete(head: receiveChain.head, written: UInt32(clamping: count))
            if try ring.needsInterrupt() { parts.activation.notifier.interrupt(parts.receive) }
        }
        return true
    }

    private mutating func readIn(_ input: SharedDescriptor) -> Int {
        do throws(SystemError) {
            try input.descriptor.wait(for: .readable, deadline: .now)
            let count = try receiveChain.writable.fill(
                from: 0, count: receiveChain.writable.byteCount, by: input.descriptor)
            hasInputEnded = count == 0
            return count
        } catch {
            // A terminal that this process may not read is no input either.
            hasInputEnded = error.errno != .timedOut && error.errno != .wouldBlock
            return 0
        }
    }

    private mutating func listen(
        _ wants: Bool, to input: SharedDescriptor, _ waiter: borrowing EventWaiter
    ) {
        guard wants != isListening else { return }
        do throws(SystemError) {
            if wants {
                try waiter.add(input.descriptor, token: Token.input)
            } else {
                try waiter.remove(input.descriptor)
            }
            isListening = wants
        } catch {
            // Such an input is a file, which is always ready and gives nothing to wait for.
            hasInputEnded = true
        }
    }
}
