import LinuxSystem
import MigrationProtocol

/// One line of an `OwnershipJournal`.
///
/// ```
/// 53c1e6a0b5f4d2c7 1763740800 9b1f04d2c3aa5e17 giving-away tcp:192.0.2.7:4444
/// checksum         seconds    migration        decision    the other end, a reason
/// ```
public struct JournalRecord: Equatable, Sendable {
    /// When, in seconds since 1970-01-01 00:00 UTC.
    public let seconds: UInt64
    /// Which migration: the same at both ends, and not the token, which is a secret.
    public let migration: String
    /// What was decided.
    public let decision: JournalDecision
    /// The other end, or why.
    public let detail: String

    /// A decision of now.
    init(_ decision: JournalDecision, of token: SessionToken?, _ detail: String) {
        seconds = RealtimeClock.nanoseconds / 1_000_000_000
        migration = token.map(Self.name(of:)) ?? Self.unnamed
        self.decision = decision
        // One line, whatever a peer says, and not a long one.
        let scalars = detail.unicodeScalars.prefix(200).map { scalar in
            scalar.value < 32 || scalar.value == 127 ? " " : scalar
        }
        self.detail = String(String.UnicodeScalarView(scalars))
    }

    /// A record from a line without its end; nil when that is no whole record.
    init?(decoding line: some Sequence<UInt8>) {
        let text = String(decoding: Array(line), as: UTF8.self)
        let words = text.split(separator: " ", maxSplits: 4, omittingEmptySubsequences: false)
        guard words.count == 5,
            words[0] == Self.checksum(of: text.dropFirst(words[0].count + 1)),
            let seconds = UInt64(words[1]),
            let decision = JournalDecision(rawValue: String(words[3]))
        else { return nil }
        self.seconds = seconds
        migration = String(words[2])
        self.decision = decision
        detail = String(words[4])
    }

    /// The line with its end.
    var encoded: [UInt8] {
        let text = "\(seconds) \(migration) \(decision.rawValue) \(detail)"
        return Array("\(Self.checksum(of: text[...])) \(text)\n".utf8)
    }

    /// A base-protocol peer has no token, so nothing that both ends could know.
    private static let unnamed = String(repeating: "-", count: 16)

    /// Eight bytes that follow from the sixteen of the token, which do not follow from them.
    private static func name(of token: SessionToken) -> String {
        hexadecimal(Fingerprint(of: token.encoded).digest)
    }

    private static func checksum(of text: Substring) -> String {
        hexadecimal(Fingerprint(of: text.utf8).digest)
    }

    private static func hexadecimal(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// A digest that finds torn and damaged text (FNV-1a, 64 bits, by Fowler, Noll and Vo). It is no
/// protection against somebody who forges it.
private struct Fingerprint {
    private(set) var digest: UInt64 = 0xCBF2_9CE4_8422_2325

    init(of bytes: some Sequence<UInt8>) {
        for byte in bytes { digest = (digest ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    }
}
