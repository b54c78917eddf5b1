/// One line that Nestling, the test guest, writes on its serial port:
/// `nestling <kind> key=value key=value ...`. See `Guests/Nestling/README.md`.
public struct GuestLine: Hashable, Sendable {
    /// What the line is about.
    public enum Kind: String, Sendable {
        /// The guest has started; its size and devices.
        case boot
        /// Counters, at a regular interval.
        case report
        /// A stamp, a sector or a packet was not what it had to be.
        case error
        /// Memory was filled.
        case filled
        /// A full pass over all stamps ended.
        case verified
        /// The work is done.
        case done
    }

    /// What the line is about.
    public let kind: Kind
    /// The values by key, as they were written.
    public let values: [String: String]

    /// Reads a line; nil for one that Nestling did not write, or not to its end.
    public init?(_ line: some StringProtocol) {
        let words = line.split(separator: " ")
        guard words.count >= 2, words[0] == "nestling", let kind = Kind(rawValue: String(words[1]))
        else { return nil }
        var values: [String: String] = [:]
        for word in words.dropFirst(2) {
            guard let equals = word.firstIndex(of: "=") else { continue }
            values[String(word[..<equals])] = String(word[word.index(after: equals)...])
        }
        self.kind = kind
        self.values = values
    }

    /// The value of a counter; nil when the line has none of that name.
    public func count(_ key: String) -> UInt64? {
        values[key].flatMap { UInt64($0) }
    }
}
