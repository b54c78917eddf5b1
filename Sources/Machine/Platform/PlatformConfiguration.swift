/// What distinguishes one guest's platform from another's, besides its memory.
public struct PlatformConfiguration: Hashable, Sendable {
    /// The most processors a guest can have: identifiers of local APICs have 8 bits, and 255 means
    /// all of them.
    public static let processorLimit = 254

    /// Processors, from 1 to `processorLimit`.
    public var processorCount: Int

    /// What the processors are.
    public var profile = CPUProfile.host

    /// An upper limit for the bits of a physical address; nil for none.
    public var maximumAddressBits: Int?

    /// The CPUID leaves that came with a guest; nil for a new guest, which gets what its profile
    /// says.
    public var cpuid: GuestCPUID?

    /// The registers that came with a guest and tell what its processors are.
    public var registers: [GuestRegister] = []

    /// How the kernel notes which pages the processors write.
    public enum DirtyTracking: String, Hashable, Sendable {
        /// A bit for each page of the guest.
        case log
        /// A ring for each processor: what that costs depends on what is written and not on the
        /// size of the guest, and it is known which processor writes most.
        case ring
    }

    /// How the kernel notes which pages the processors write.
    public var dirtyTracking = DirtyTracking.log

    /// Whether rings are tried before a guest relies on them.
    var triesDirtyRings = true

    /// How the kernel's log of written pages is cleared, if it can do that.
    var dirtyLogMode = DirtyLog.Mode.onRequestInitiallySet

    /// Collects the parts.
    public init(processorCount: Int, cpuid: GuestCPUID? = nil) {
        self.processorCount = processorCount
        self.cpuid = cpuid
    }
}
