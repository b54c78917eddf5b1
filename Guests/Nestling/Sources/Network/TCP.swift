/// A TCP server for echo on port 7: it accepts, and its connections do the rest.
final class TCP {
    static let number: UInt8 = 6
    static let echoPort: UInt16 = 7
    private static let connectionLimit = 8

    /// Bytes that came and were accepted.
    let bytes = Counter()
    /// Connections accepted since boot.
    let accepted = Counter()
    /// Connections given up because the peer no longer answered.
    let lost = Counter()
    private var connections: [TCPConnection] = []
    private let clock: Clock

    init(_ clock: Clock) {
        self.clock = clock
        for _ in 0..<Self.connectionLimit { connections.append(TCPConnection(clock)) }
    }

    /// Connections that are open now.
    var openConnections: UInt64 {
        var count: UInt64 = 0
        for connection in connections where connection.isOpen { count += 1 }
        return count
    }

    func handle(_ packet: IPv4Packet, _ host: Host, _ now: UInt64) {
        guard let segment = TCPSegment(packet, host) else { return }
        for connection in connections where connection.isFor(segment) {
            let before = connection.bytesAccepted
            connection.handle(segment, host, now)
            bytes.add(connection.bytesAccepted - before)
            return
        }
        guard !segment.has(TCPSegment.Flags.reset) else { return }
        let isRequest =
            segment.has(TCPSegment.Flags.synchronize)
            && !segment.has(TCPSegment.Flags.acknowledge)
        guard isRequest, segment.destinationPort == Self.echoPort else {
            return refuse(segment, host)
        }
        for connection in connections where !connection.isOpen {
            accepted.add(1)
            return connection.accept(segment, host, now)
        }
        refuse(segment, host)
    }

    /// Sends what is due on all connections. False: nothing was.
    func service(_ host: Host, _ now: UInt64) -> Bool {
        var isBusy = false
        for connection in connections where connection.isOpen {
            switch connection.service(host, now) {
            case .nothing: break
            case .sent: isBusy = true
            case .lost: lost.add(1)
            }
        }
        return isBusy
    }

    /// Says that there is no such connection.
    private func refuse(_ segment: TCPSegment, _ host: Host) {
        let hasAcknowledgment = segment.has(TCPSegment.Flags.acknowledge)
        TCPWriter.send(
            host, to: segment.peer, port: segment.sourcePort, from: segment.destinationPort,
            sequence: hasAcknowledgment ? segment.acknowledgment : 0,
            acknowledgment: segment.sequence &+ segment.length,
            flags: TCPSegment.Flags.reset
                | (hasAcknowledgment ? 0 : TCPSegment.Flags.acknowledge),
            window: 0, count: 0
        ) { _ in }
    }
}

/// Writes segments.
enum TCPWriter {
    /// What we ask peers to send at most in one segment.
    static let maximumSize = 1460
    private static let sizeOption: UInt32 = 0x0204_0000

    /// Sends one segment with `count` bytes that `body` writes. False: there was no room.
    @discardableResult
    static func send(
        _ host: Host, to peer: Peer, port: UInt16, from source: UInt16, sequence: UInt32,
        acknowledgment: UInt32, flags: UInt8, window: Int, count: Int, _ body: (Bytes) -> Void
    ) -> Bool {
        host.send { frame in
            let hasOption = flags & TCPSegment.Flags.synchronize != 0
            let header = TCPSegment.headerSize + (hasOption ? 4 : 0)
            IPv4Packet.writeHeaders(
                frame, host, to: peer, protocol: TCP.number, count: header + count)
            let segment = frame.from(IPv4Packet.payloadOffset, limit: header + count)
            segment.write16(0, source)
            segment.write16(2, port)
            segment.write32(4, sequence)
            segment.write32(8, acknowledgment)
            segment[12] = UInt8(header / 4) << 4
            segment[13] = flags
            segment.write16(14, UInt16(min(window, 0xffff)))
            segment.write32(16, 0)  // checksum, urgent pointer
            if hasOption { segment.write32(20, sizeOption | UInt32(maximumSize)) }
            body(segment.from(header))
            var checksum = IPv4Packet.pseudoHeader(
                host, peer, protocol: TCP.number, count: header + count)
            checksum.add(segment)
            segment.write16(16, checksum.value)
            return IPv4Packet.payloadOffset + header + count
        }
    }
}
