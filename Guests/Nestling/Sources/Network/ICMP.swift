/// Answers pings.
enum ICMP {
    static let number: UInt8 = 1
    private static let echoRequest: UInt8 = 8
    private static let echoReply: UInt8 = 0

    static func handle(_ packet: IPv4Packet, _ host: Host) {
        let request = packet.payload
        guard request.count >= 8, request[0] == echoRequest,
            request.count <= NetworkDevice.frameSize - IPv4Packet.payloadOffset
        else { return }
        host.send { frame in
            IPv4Packet.writeHeaders(
                frame, host, to: packet.peer, protocol: number, count: request.count)
            let reply = frame.from(IPv4Packet.payloadOffset, limit: request.count)
            reply.copy(from: request)
            reply[0] = echoReply
            reply.write16(2, 0)
            var checksum = Checksum()
            checksum.add(reply)
            reply.write16(2, checksum.value)
            return IPv4Packet.payloadOffset + request.count
        }
    }
}
