/// What two Martlets may add to the base protocol, as offered and accepted in Start.
///
/// The names of all bits are fixed; `offered` are those that this version speaks.
public struct Extensions: OptionSet, Hashable, Sendable {
    /// The bits as on the wire.
    public let rawValue: UInt16

    /// A set from its bits.
    public init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// An Error answer may carry text.
    public static let errorText = Extensions(rawValue: 1 << 0)
    /// Ranges of zeros are sent as a table without contents.
    public static let zeroRanges = Extensions(rawValue: 1 << 1)
    /// Several requests may be on their way on a memory connection; answers come in order.
    public static let pipelining = Extensions(rawValue: 1 << 2)
    /// Contents may carry checksums, and all memory may be compared before the state is sent.
    public static let checksums = Extensions(rawValue: 1 << 3)
    /// Reserved: device descriptors travel on the main connection.
    public static let descriptors = Extensions(rawValue: 1 << 4)
    /// Takeover is answered Running or Returned, and a lost answer can be inquired after.
    public static let ownership = Extensions(rawValue: 1 << 5)
    /// Reserved: page requests with identifiers.
    public static let taggedFaults = Extensions(rawValue: 1 << 6)
    /// Reserved: pre-copy that goes over into post-copy.
    public static let hybrid = Extensions(rawValue: 1 << 7)
    /// A token ties every memory connection to the main one. Needs `ownership`, which brings the
    /// token.
    public static let session = Extensions(rawValue: 1 << 8)
    /// Contents may be compressed, with LZ4 or zstd.
    public static let compression = Extensions(rawValue: 1 << 9)
    /// Either end may call the migration off with a reason.
    public static let cancel = Extensions(rawValue: 1 << 10)
    /// Reserved: more bits follow elsewhere.
    public static let more = Extensions(rawValue: 1 << 15)

    /// What this version of Martlet offers and accepts.
    public static let offered: Extensions = [
        .errorText, .zeroRanges, .pipelining, .checksums, .ownership, .session, .compression,
        .cancel,
    ]
}
