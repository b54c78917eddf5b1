/// The most that a peer may ask this end to hold in memory.
///
/// Each is far above what a real guest needs and far below what would harm the host.
public enum Limits {
    /// Ranges in one table: every second 4 KiB page of 128 GiB, a table of 256 MiB.
    ///
    /// A peer with one connection sends all memory of an iteration in a single request, so this
    /// cannot be small. `maximumRanges(guestMemory:)` gives the limit that fits a guest.
    public static let maximumRanges = 1 << 24

    /// The fewest ranges that a limit made for one guest allows.
    private static let minimumRanges: UInt64 = 4096

    /// Ranges that Martlet puts into one table of its own: 64 KiB of table.
    public static let rangesPerRequest = 4096

    /// Bytes of content that Martlet puts into one Memory request of its own.
    public static let contentPerRequest: UInt64 = 256 << 20

    /// Bytes of content in a MemoryBlocks request. All of its blocks are described before the first
    /// one comes, so this bounds what a receiver holds.
    public static let contentPerBlocksRequest: UInt64 = 64 << 20

    /// Bytes of content in a block of MemoryBlocks. A receiver holds two of them.
    public static let blockBytes = 4096...(1 << 20)

    /// Memory connections of one migration, beside the main one.
    public static let memoryConnections = 128

    /// Requests that may be on their way on a memory connection where pipelining was agreed on.
    public static let requestsInFlight = 16

    /// Bytes of Config. A configuration with hundreds of devices and CPUID entries takes less
    /// than 1 MiB.
    public static let maximumConfigBytes = 16 << 20

    /// Bytes of State, and of back-end state in Takeover, that no receiver may exceed.
    public static let maximumStateBytes = 1 << 30

    /// Bytes of State, and of back-end state in Takeover, unless the receiver says otherwise.
    public static let defaultStateBytes = 256 << 20

    /// Bytes of UTF-8 of an error text or a reason.
    public static let maximumTextBytes = 4096

    /// Memory descriptors in one local migration: as many as KVM has slots for users.
    public static let maximumMemoryDescriptors = 32764

    /// The most ranges in one table for a guest with `guestMemory` bytes of RAM: one per 4 KiB
    /// page, which leaves room for ranges that are listed twice.
    public static func maximumRanges(guestMemory: UInt64) -> Int {
        let pages = max(guestMemory / 4096, minimumRanges)
        return min(Int(clamping: pages), maximumRanges)
    }
}
