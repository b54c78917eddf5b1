/// `net=address:192.168.77.2/24`: answers ARP, ping, UDP echo and TCP echo.
struct NetworkOptions {
    /// The IPv4 address, most significant byte first.
    var address: UInt32

    init?(_ text: Text) {
        var parsed: UInt32?
        let isComplete = text.forEachField { key, value in
            guard key == "address" else { return false }
            parsed = Self.parse(value.split(at: Character.slash).head)
            return parsed != nil
        }
        guard isComplete, let parsed else { return nil }
        address = parsed
    }

    private static func parse(_ text: Text) -> UInt32? {
        var result: UInt32 = 0
        var rest: Text? = text
        for _ in 0..<4 {
            guard let (part, next) = rest?.split(at: Character.dot) else { return nil }
            guard let number = part.number, number < 256 else { return nil }
            result = result << 8 | UInt32(number)
            rest = next
        }
        return rest == nil ? result : nil
    }
}
