/// One echo connection.
///
/// What came is what goes back, so one ring holds both: bytes enter when they are accepted, and
/// leave when the peer acknowledges their echo. Its free space is the window that we offer.
final class TCPConnection {
    /// What `service` did.
    enum Outcome {
        case nothing
        case sent
        case lost
    }

    private enum State {
        case closed
        /// Our half of the handshake is sent.
        case accepting
        case open
    }

    private static let ringSize = 32768
    private static let retryLimit = 12
    private static let firstTimeout: UInt64 = 200
    private static let longestTimeout: UInt64 = 1600

    private(set) var bytesAccepted: UInt64 = 0
    private let clock: Clock
    private let ring = UnsafeMutablePointer<UInt8>.allocate(capacity: ringSize)
    private var state = State.closed
    private var peer = Peer(hardwareAddress: HardwareAddress.broadcast, address: 0)
    private var port: UInt16 = 0
    private var maximumSize = 0
    /// The sequence number of the first byte that we send.
    private var origin: UInt32 = 0
    /// The oldest number which the peer has not acknowledged, and the next one to send.
    private var unacknowledged: UInt32 = 0
    private var next: UInt32 = 0
    /// The next number that we expect.
    private var expected: UInt32 = 0
    private var peerWindow: UInt32 = 0
    private var offeredWindow = 0
    /// Bytes in the ring, from `unacknowledged` on.
    private var buffered = 0
    private var peerFinished = false
    private var deadline: UInt64 = 0
    private var retries = 0

    init(_ clock: Clock) { self.clock = clock }

    var isOpen: Bool { state != .closed }

    func isFor(_ segment: TCPSegment) -> Bool {
        isOpen && segment.destinationPort == TCP.echoPort && segment.sourcePort == port
            && segment.peer.address == peer.address
    }

    /// Answers a request for a connection.
    func accept(_ request: TCPSegment, _ host: Host, _ now: UInt64) {
        state = .accepting
        peer = request.peer
        port = request.sourcePort
        maximumSize = min(request.maximumSize, TCPWriter.maximumSize)
        unacknowledged = UInt32(truncatingIfNeeded: mixed(now))
        origin = unacknowledged &+ 1
        next = origin
        expected = request.sequence &+ 1
        peerWindow = request.window
        buffered = 0
        bytesAccepted = 0
        peerFinished = false
        retries = 0
        startTimer(now)
        sendEmpty(TCPSegment.Flags.synchronize, sequence: unacknowledged, host)
    }

    func handle(_ segment: TCPSegment, _ host: Host, _ now: UInt64) {
        if segment.has(TCPSegment.Flags.reset) {
            if segment.sequence == expected { state = .closed }
            return
        }
        if segment.has(TCPSegment.Flags.synchronize) {
            // The same request again: our answer was lost, and the timer repeats it. Another one:
            // the peer has forgotten this connection and will say so.
            return acknowledge(host)
        }
        guard segment.has(TCPSegment.Flags.acknowledge) else { return }
        takeAcknowledgment(segment, now)
        guard state == .open else { return }
        let mustAnswer = takePayload(segment)
        if !sendDue(host, now) && (mustAnswer || windowOpened) { acknowledge(host) }
    }

    /// Repeats what was not acknowledged in time, and sends what had no room before.
    func service(_ host: Host, _ now: UInt64) -> Outcome {
        let isWaiting = next != unacknowledged || buffered > 0
        if isWaiting && now >= deadline { return retry(host, now) }
        return state == .open && sendDue(host, now) ? .sent : .nothing
    }

    /// The number after the last byte in the ring.
    private var end: UInt32 { unacknowledged &+ UInt32(buffered) }

    private var window: Int { Self.ringSize - buffered }

    /// Whether there is room again after the peer was told that there was hardly any.
    private var windowOpened: Bool {
        offeredWindow < TCPWriter.maximumSize && window >= 2 * TCPWriter.maximumSize
    }

    private func takeAcknowledgment(_ segment: TCPSegment, _ now: UInt64) {
        let number = segment.acknowledgment
        // After a repetition started anew the peer may have more than `next` says.
        guard !isBefore(number, unacknowledged) else { return }
        if state == .accepting {
            guard number == origin else { return }
            state = .open
            unacknowledged = origin
        } else if number == end &+ 1 && peerFinished {
            // Our end was acknowledged too: that is all.
            state = .closed
            return
        } else if isBefore(end, number) {
            return
        }
        let count = number &- unacknowledged
        // A peer which answers is not lost, even if its window stays closed for long.
        retries = 0
        if count > 0 || next == unacknowledged { startTimer(now) }
        buffered -= Int(count)
        unacknowledged = number
        if isBefore(next, unacknowledged) { next = unacknowledged }
        peerWindow = segment.window
    }

    /// Puts what is new into the ring. Whether the peer must be told where we are.
    private func takePayload(_ segment: TCPSegment) -> Bool {
        guard segment.length > 0 else { return false }
        // What we have already is skipped; after a hole nothing is taken.
        let known = expected &- segment.sequence
        guard !isBefore(expected, segment.sequence), known <= UInt32(segment.payload.count) else {
            return true
        }
        let fresh = segment.payload.from(Int(known), limit: window)
        guard !peerFinished else { return true }
        append(fresh)
        let isComplete = Int(known) + fresh.count == segment.payload.count
        if segment.has(TCPSegment.Flags.finish) && isComplete {
            expected = expected &+ 1
            peerFinished = true
        }
        return true
    }

    private func append(_ bytes: Bytes) {
        var position = Int(end &- origin) % Self.ringSize
        for index in 0..<bytes.count {
            ring[position] = bytes[index]
            position = position + 1 == Self.ringSize ? 0 : position + 1
        }
        buffered += bytes.count
        expected = expected &+ UInt32(bytes.count)
        bytesAccepted += UInt64(bytes.count)
    }

    /// Sends what the peer has room for, and our end after the last byte. False: nothing was due.
    private func sendDue(_ host: Host, _ now: UInt64) -> Bool {
        var hasSent = false
        while isBefore(next, end) {
            let underWay = next &- unacknowledged
            let room = peerWindow > underWay ? Int(peerWindow - underWay) : 0
            let count = min(Int(end &- next), room, maximumSize)
            guard count > 0, sendBytes(count, host) else { return hasSent }
            if !hasSent && underWay == 0 { startTimer(now) }
            hasSent = true
        }
        if peerFinished && next == end {
            guard sendEmpty(TCPSegment.Flags.finish, sequence: next, host) else { return hasSent }
            next = next &+ 1
            startTimer(now)
            hasSent = true
        }
        return hasSent
    }

    private func retry(_ host: Host, _ now: UInt64) -> Outcome {
        guard retries < Self.retryLimit else {
            state = .closed
            return .lost
        }
        retries += 1
        startTimer(now)
        if state == .accepting {
            sendEmpty(TCPSegment.Flags.synchronize, sequence: unacknowledged, host)
            return .sent
        }
        // From the oldest byte on. One byte also goes against a closed window, to learn whether it
        // is open again.
        next = unacknowledged
        if buffered > 0 {
            let count = min(buffered, max(Int(peerWindow), 1), maximumSize)
            return sendBytes(count, host) ? .sent : .nothing
        }
        return sendDue(host, now) ? .sent : .nothing
    }

    private func sendBytes(_ count: Int, _ host: Host) -> Bool {
        offeredWindow = window
        let isSent = TCPWriter.send(
            host, to: peer, port: port, from: TCP.echoPort, sequence: next,
            acknowledgment: expected,
            flags: TCPSegment.Flags.acknowledge | TCPSegment.Flags.push, window: window,
            count: count
        ) { payload in
            var position = Int(next &- origin) % Self.ringSize
            for index in 0..<count {
                payload[index] = ring[position]
                position = position + 1 == Self.ringSize ? 0 : position + 1
            }
        }
        if isSent { next = next &+ UInt32(count) }
        return isSent
    }

    private func acknowledge(_ host: Host) { sendEmpty(0, sequence: next, host) }

    @discardableResult
    private func sendEmpty(_ flag: UInt8, sequence: UInt32, _ host: Host) -> Bool {
        offeredWindow = window
        return TCPWriter.send(
            host, to: peer, port: port, from: TCP.echoPort, sequence: sequence,
            acknowledgment: expected, flags: flag | TCPSegment.Flags.acknowledge,
            window: window, count: 0
        ) { _ in }
    }

    private func startTimer(_ now: UInt64) {
        let timeout = min(Self.firstTimeout << UInt64(retries), Self.longestTimeout)
        deadline = now &+ clock.cycles(milliseconds: timeout)
    }
}
