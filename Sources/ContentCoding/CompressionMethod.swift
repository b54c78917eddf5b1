/// How blocks of contents are compressed.
public enum CompressionMethod: String, CaseIterable, Sendable {
    /// LZ4's block format: fast, for links of some gigabytes per second.
    case lz4
    /// A zstd frame at a low level: smaller, for slower links.
    case zstd

    /// The level that pays most on links on which compressing pays at all: higher ones halve the
    /// rate for a few percent.
    static let zstdLevel: Int32 = 1
}
