/// Echoes what comes to port 7.
enum UDP {
    static let number: UInt8 = 17
    static let echoPort: UInt16 = 7
    private static let headerSize = 8

    static func handle(_ packet: IPv4Packet, _ host: Host) {
        let request = packet.payload
        guard request.count >= headerSize, request.read16(2) == echoPort else { return }
        let count = Int(request.read16(4))
        guard count >= headerSize, count <= request.count, isIntact(packet, host, count: count)
        else { return }
        host.send { frame in
            IPv4Packet.writeHeaders(frame, host, to: packet.peer, protocol: number, count: count)
            let reply = frame.from(IPv4Packet.payloadOffset, limit: count)
            reply.copy(from: request.from(0, limit: count))
            reply.write16(0, echoPort)
            reply.write16(2, request.read16(0))
            reply.write16(6, 0)
            var checksum = IPv4Packet.pseudoHeader(
                host, packet.peer, protocol: number, count: count)
            checksum.add(reply)
            // Zero would mean that there is none.
            reply.write16(6, checksum.value == 0 ? UInt16.max : checksum.value)
            return IPv4Packet.payloadOffset + count
        }
    }

    private static func isIntact(_ packet: IPv4Packet, _ host: Host, count: Int) -> Bool {
        guard packet.payload.read16(6) != 0 else { return true }
        var checksum = IPv4Packet.pseudoHeader(host, packet.peer, protocol: number, count: count)
        checksum.add(packet.payload.from(0, limit: count))
        return checksum.value == 0
    }
}
