internal import LinuxSystem

/// Moves packets from one queue of the tap into the driver's buffers.
///
/// The length of a packet is known only when it was read. So there is always room for the longest:
/// in the driver's buffers as far as possible, which are read into without a copy, and behind them
/// in a buffer of this process, for what the driver has no buffers for.
struct NetReceiver: ~Copyable {
    /// Why no packet is moved to the driver any more.
    enum Outcome {
        /// The tap is empty, or it is the other direction's turn.
        case mayHaveMore
        /// The driver will ring when it has offered buffers.
        case needsBuffers
        /// The tap cannot be read; it is tried again when the driver rings.
        case failed
    }

    /// A packet that was read and for which the driver has too few buffers so far.
    private struct Held {
        let length: Int
        /// How many of its bytes are in the buffers in hand; the others are in `spill`.
        let placed: Int
    }

    private let port: NetPair.Port
    private let isMergeable: Bool
    private let getsLargePackets: Bool
    private let spill: BounceBuffer
    private var window: ReceiveWindow
    private var held: Held?

    init(_ port: NetPair.Port) throws(SystemError) {
        self.port = port
        let features = port.activation.features
        isMergeable = features.contains(NetFeature.mergeableBuffers)
        getsLargePackets = !features.isDisjoint(with: NetFeature.guestLargePackets)
        spill = try BounceBuffer()
        window = ReceiveWindow(memory: port.activation.memory)
    }

    /// Moves packets, `limit` at most.
    mutating func fill(
        _ ring: inout Virtqueue, limit: Int
    ) throws(VirtqueueError) -> Outcome {
        var outcome = Outcome.mayHaveMore
        var count = 0
        var delivered = 0
        while count < limit, !port.stop.isSet {
            try gather(&ring)
            guard window.count > 0 else {
                if try ring.enableNotifications() { continue }
                outcome = .needsBuffers
                break
            }
            guard let packet = held ?? read(&outcome) else { break }
            count += 1
            held = nil
            guard packet.length > window.byteCount else {
                try deliver(packet, &ring)
                delivered += 1
                continue
            }
            guard mayWait(with: packet, ring) else {
                port.received.addDropped()
                continue
            }
            held = packet
            if try ring.enableNotifications() { continue }
            outcome = .needsBuffers
            break
        }
        if delivered > 0, try ring.needsInterrupt() {
            port.activation.notifier.interrupt(port.receive)
        }
        return outcome
    }

    /// Gives back what is in hand; a packet that still waits for buffers is lost.
    mutating func end() {
        if held != nil { port.received.addDropped() }
        held = nil
        _ = port.receive.withRing(port.activation.notifier) { ring throws(VirtqueueError) in
            window.putBack(to: &ring)
        }
    }

    /// Takes buffers for the longest packet; without mergeable buffers a packet gets one request.
    private mutating func gather(_ ring: inout Virtqueue) throws(VirtqueueError) {
        if isMergeable {
            try window.gather(Tap.maximumPacketSize, least: Tap.headerSize, from: &ring)
        } else {
            try window.gatherOne(least: Tap.headerSize, from: &ring)
        }
    }

    /// Whether the driver will offer buffers for a packet for which it has too few. One that has
    /// half of its queue offered may see no reason to, and without large packets, those that are
    /// too long for it are nobody's fault but the host's.
    private func mayWait(with packet: Held, _ ring: borrowing Virtqueue) -> Bool {
        isMergeable && getsLargePackets && !window.isFull
            && packet.length <= Tap.maximumPacketSize
            && window.count < Int(ring.layout.size) / 2
    }

    private mutating func deliver(
        _ packet: Held, _ ring: inout Virtqueue
    ) throws(VirtqueueError) {
        window.buffers.write(
            firstOf: spill, count: packet.length - packet.placed, at: packet.placed)
        let requests = window.requestCount(for: packet.length)
        // The kernel leaves that field of the header alone.
        window.buffers.store(UInt16(clamping: requests), at: 10)
        try window.complete(packet.length, &ring)
        port.received.add(bytes: packet.length - Tap.headerSize)
    }

    private mutating func read(_ outcome: inout Outcome) -> Held? {
        do throws(SystemError) {
            guard port.isLinkUp() else {
                outcome = .failed
                return nil
            }
            let length = try window.fill(by: port.tap.tap.descriptor, spillingInto: spill)
            return Held(length: length, placed: min(length, window.byteCount))
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
