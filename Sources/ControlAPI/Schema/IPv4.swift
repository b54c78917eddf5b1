/// IPv4 addresses and masks in their usual notation.
enum IPv4 {
    /// Reads four decimal numbers, as in "192.168.0.1"; nil for anything else, also for numbers
    /// with leading zeros, which some programs take for octal ones.
    static func bytes(_ text: String) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let bytes = parts.compactMap { part in
            part.utf8.allSatisfy { (0x30...0x39).contains($0) } ? UInt8(part) : nil
        }
        guard parts.count == 4, bytes.count == 4 else { return nil }
        guard zip(parts, bytes).allSatisfy({ String($1) == $0 }) else { return nil }
        return bytes
    }

    /// The length of the prefix that a mask such as "255.255.255.0" means; nil when its ones do not
    /// come first.
    static func prefixLength(_ mask: String) -> Int? {
        guard let bytes = bytes(mask) else { return nil }
        let bits = bytes.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        let length = (~bits).leadingZeroBitCount
        return bits.nonzeroBitCount == length ? length : nil
    }
}

extension NetConfig {
    /// Address and prefix length of the host's end; nil when none is set, or when `ip` or `mask`
    /// cannot be read, which no valid configuration has.
    public var hostAddress: (bytes: [UInt8], prefixLength: Int)? {
        guard let bytes = ip.flatMap(IPv4.bytes),
            let length = IPv4.prefixLength(mask ?? "255.255.255.0")
        else { return nil }
        return (bytes, length)
    }
}
