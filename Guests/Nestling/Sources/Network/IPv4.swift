/// One packet for us: its header read and checked.
struct IPv4Packet {
    static let headerSize = 20
    /// Where the payload of a frame that we write begins.
    static let payloadOffset = Ethernet.headerSize + headerSize
    private static let fragmentBits: UInt16 = 0x3fff
    private static let dontFragment: UInt16 = 0x4000

    let peer: Peer
    let `protocol`: UInt8
    let payload: Bytes

    /// Nil: damaged, a fragment, or for somebody else.
    init?(_ frame: Bytes, _ host: Host) {
        let packet = frame.from(Ethernet.headerSize)
        guard packet.count >= Self.headerSize, packet[0] >> 4 == 4 else { return nil }
        let header = Int(packet[0] & 15) * 4
        let total = Int(packet.read16(2))
        guard header >= Self.headerSize, total >= header, total <= packet.count,
            packet.read16(6) & Self.fragmentBits == 0, packet.read32(16) == host.address
        else { return nil }
        var checksum = Checksum()
        checksum.add(packet.from(0, limit: header))
        guard checksum.value == 0 else { return nil }
        peer = Peer(hardwareAddress: Ethernet.sender(frame), address: packet.read32(12))
        `protocol` = packet[9]
        payload = packet.from(header, limit: total - header)
    }

    /// Writes the two headers in front of a payload of `count` bytes.
    static func writeHeaders(
        _ frame: Bytes, _ host: Host, to peer: Peer, protocol: UInt8, count: Int
    ) {
        Ethernet.writeHeader(
            frame, from: host.hardwareAddress, to: peer.hardwareAddress, type: Ethernet.ipv4)
        let header = frame.from(Ethernet.headerSize, limit: headerSize)
        header.write16(0, 0x4500)
        header.write16(2, UInt16(headerSize + count))
        header.write16(4, 0)
        header.write16(6, dontFragment)
        header[8] = 64  // hops
        header[9] = `protocol`
        header.write16(10, 0)
        header.write32(12, host.address)
        header.write32(16, peer.address)
        var checksum = Checksum()
        checksum.add(header)
        header.write16(10, checksum.value)
    }

    /// The sum over what UDP and TCP cover beside their own bytes.
    static func pseudoHeader(_ host: Host, _ peer: Peer, protocol: UInt8, count: Int) -> Checksum {
        var checksum = Checksum()
        checksum.add(host.address)
        checksum.add(peer.address)
        checksum.add(UInt16(`protocol`))
        checksum.add(UInt16(count))
        return checksum
    }
}

/// Who we talk to.
struct Peer {
    let hardwareAddress: HardwareAddress
    let address: UInt32
}
