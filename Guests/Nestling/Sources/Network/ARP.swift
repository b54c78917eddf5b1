/// Answers who has our address, and tells everybody once unasked.
enum ARP {
    private static let size = 28
    private static let request: UInt16 = 1
    private static let reply: UInt16 = 2

    static func handle(_ packet: Bytes, _ host: Host) {
        guard packet.count >= size, packet.read16(0) == 1, packet.read16(2) == Ethernet.ipv4,
            packet.read16(6) == request, packet.read32(24) == host.address
        else { return }
        let asker = HardwareAddress(packet, at: 8)
        send(host, operation: reply, to: asker, address: packet.read32(14))
    }

    /// Tells switches and neighbours where the address is.
    static func announce(_ host: Host) {
        send(host, operation: request, to: HardwareAddress.broadcast, address: host.address)
    }

    private static func send(
        _ host: Host, operation: UInt16, to target: HardwareAddress, address: UInt32
    ) {
        host.send { frame in
            Ethernet.writeHeader(
                frame, from: host.hardwareAddress, to: target, type: Ethernet.arp)
            let packet = frame.from(Ethernet.headerSize)
            packet.write16(0, 1)
            packet.write16(2, Ethernet.ipv4)
            packet.write16(4, 0x0604)  // lengths of the two kinds of address
            packet.write16(6, operation)
            host.hardwareAddress.write(to: packet, at: 8)
            packet.write32(14, host.address)
            target.write(to: packet, at: 18)
            packet.write32(24, address)
            return Ethernet.headerSize + size
        }
    }
}
