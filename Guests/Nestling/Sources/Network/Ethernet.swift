/// A card's address.
struct HardwareAddress {
    static let broadcast = HardwareAddress { _ in 0xff }

    private var bytes: [6 of UInt8]

    init(_ byte: (Int) -> UInt8) { bytes = [6 of UInt8](byte) }

    init(_ frame: Bytes, at offset: Int) { self.init { frame[offset + $0] } }

    func write(to frame: Bytes, at offset: Int) {
        for index in 0..<6 { frame[offset + index] = bytes[index] }
    }
}

/// The header of every frame.
enum Ethernet {
    static let headerSize = 14
    static let ipv4: UInt16 = 0x0800
    static let arp: UInt16 = 0x0806

    static func type(_ frame: Bytes) -> UInt16 { frame.read16(12) }

    static func sender(_ frame: Bytes) -> HardwareAddress { HardwareAddress(frame, at: 6) }

    static func writeHeader(
        _ frame: Bytes, from: HardwareAddress, to: HardwareAddress, type: UInt16
    ) {
        to.write(to: frame, at: 0)
        from.write(to: frame, at: 6)
        frame.write16(12, type)
    }
}
