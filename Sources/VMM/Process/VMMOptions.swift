public import Confinement
public import ControlAPI

/// What `martlet run` is told on its command line.
public struct VMMOptions: Sendable {
    /// Where the API is served; nil for no API.
    public var apiSocket: APISocketOption?
    /// Where events are written; nil for nowhere.
    public var eventMonitor: EventMonitorOption?
    /// The log.
    public var log = LogOptions()
    /// A guest to boot at once; nil to wait for one by the API.
    public var guest: VmConfig?
    /// Whether the threads have filters of system calls.
    public var filters = FilterMode.enforced
    /// Whether guests may be moved to and from other hosts without encryption.
    public var allowsPlainTCP = false
    /// The file in which decisions about the owner of a guest are kept; nil for none.
    public var ownershipJournal: String?

    /// A VMM without API and guest, which is of no use before one of both is set.
    public init() {}
}
