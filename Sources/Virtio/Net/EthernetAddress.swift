public import LinuxSystem

/// The address of a network interface on its Ethernet.
public struct EthernetAddress: Hashable, Sendable {
    /// Six bytes, in the order in which they are sent.
    public let bytes: [UInt8]

    /// An address of six bytes; nil for any other number.
    public init?(bytes: [UInt8]) {
        guard bytes.count == 6 else { return nil }
        self.bytes = bytes
    }

    /// An address that nobody has assigned, for one interface (locally administered, not a group).
    public static func random() throws(SystemError) -> EthernetAddress {
        var bytes = [UInt8](repeating: 0, count: 6)
        var span = bytes.mutableSpan
        try RandomBytes.fill(&span)
        bytes[0] = bytes[0] & 0xFC | 0x02
        return EthernetAddress(checked: bytes)
    }

    private init(checked bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Whether a packet can come from it: it is neither that of a group nor empty.
    var isOfOneInterface: Bool { bytes[0] & 1 == 0 && bytes.contains { $0 != 0 } }

    /// Reads the usual notation, as in "12:34:56:78:9a:bc"; nil for anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let bytes = parts.compactMap { part in
            part.count == 2 && part.allSatisfy(\.isHexDigit) ? UInt8(part, radix: 16) : nil
        }
        guard bytes.count == parts.count else { return nil }
        self.init(bytes: bytes)
    }
}

extension EthernetAddress: CustomStringConvertible {
    /// The usual notation.
    public var description: String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
    }
}
