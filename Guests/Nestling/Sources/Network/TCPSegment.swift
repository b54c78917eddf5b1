/// One TCP segment that came, its header read and checked.
struct TCPSegment {
    enum Flags {
        static let finish: UInt8 = 1
        static let synchronize: UInt8 = 2
        static let reset: UInt8 = 4
        static let push: UInt8 = 8
        static let acknowledge: UInt8 = 16
    }

    static let headerSize = 20
    private static let defaultSize = 536
    private static let maximumSizeOption: UInt8 = 2

    let peer: Peer
    let sourcePort: UInt16
    let destinationPort: UInt16
    let sequence: UInt32
    let acknowledgment: UInt32
    let flags: UInt8
    let window: UInt32
    let payload: Bytes
    /// The largest payload that the peer takes.
    let maximumSize: Int

    /// Nil: damaged.
    init?(_ packet: IPv4Packet, _ host: Host) {
        let bytes = packet.payload
        guard bytes.count >= Self.headerSize else { return nil }
        let header = Int(bytes[12] >> 4) * 4
        guard header >= Self.headerSize, header <= bytes.count else { return nil }
        var checksum = IPv4Packet.pseudoHeader(
            host, packet.peer, protocol: TCP.number, count: bytes.count)
        checksum.add(bytes)
        guard checksum.value == 0 else { return nil }
        peer = packet.peer
        sourcePort = bytes.read16(0)
        destinationPort = bytes.read16(2)
        sequence = bytes.read32(4)
        acknowledgment = bytes.read32(8)
        flags = bytes[13]
        window = UInt32(bytes.read16(14))
        payload = bytes.from(header)
        maximumSize = Self.maximumSize(bytes.from(Self.headerSize, limit: header - Self.headerSize))
    }

    func has(_ flag: UInt8) -> Bool { flags & flag != 0 }

    /// How much of the sequence it takes: the payload, and one for each end.
    var length: UInt32 {
        UInt32(payload.count) + (has(Flags.synchronize) ? 1 : 0) + (has(Flags.finish) ? 1 : 0)
    }

    private static func maximumSize(_ options: Bytes) -> Int {
        var offset = 0
        while offset < options.count && options[offset] != 0 {
            if options[offset] == 1 {
                offset += 1
                continue
            }
            guard offset + 1 < options.count else { break }
            let length = Int(options[offset + 1])
            guard length >= 2, offset + length <= options.count else { break }
            if options[offset] == maximumSizeOption && length == 4 {
                return max(Int(options.read16(offset + 2)), 64)
            }
            offset += length
        }
        return defaultSize
    }
}

/// Whether `a` comes before `b` in a sequence which wraps around.
@inline(__always)
func isBefore(_ a: UInt32, _ b: UInt32) -> Bool { Int32(bitPattern: a &- b) < 0 }
