/// The frame that tells switches where a guest is now: a request of the reverse address resolution
/// protocol (RFC 903) from the guest's address to everybody. Nobody answers it, and every switch
/// on the way learns the port that it came through.
func announcementFrame(from address: EthernetAddress) -> [UInt8] {
    let broadcast = [UInt8](repeating: 0xFF, count: 6)
    let noAddress = [UInt8](repeating: 0, count: 4)
    let ethernet = broadcast + address.bytes + [0x80, 0x35]
    // Ethernet, IPv4, lengths of their addresses, request.
    let head: [UInt8] = [0x00, 0x01, 0x08, 0x00, 6, 4, 0x00, 0x03]
    let frame = ethernet + head + address.bytes + noAddress + address.bytes + noAddress
    // The shortest frame that Ethernet allows, without its checksum.
    return frame + [UInt8](repeating: 0, count: 60 - frame.count)
}
