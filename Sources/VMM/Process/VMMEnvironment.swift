import ControlAPI
import LinuxSystem
import Logging
import Migration

/// What all parts of one VMM process share.
struct VMMEnvironment: Sendable {
    /// The control thread's queue.
    let queue: ControlQueue
    /// Where events go.
    let events: EventSink
    /// The log.
    let logger: Logger
    /// Whether guests may be moved to and from other hosts without encryption.
    let allowsPlainTCP: Bool
    /// Where decisions about the owner of a guest are kept, if they are.
    var journal: OwnershipJournal?

    /// When the process started, in nanoseconds since 1970.
    let startedAt = RealtimeClock.nanoseconds

    /// The answer of `vmm.ping`.
    var ping: VmmPing {
        VmmPing(
            buildVersion: Version.build, version: Version.number,
            pid: Int64(ProcessDescriptor.currentProcess), features: [])
    }
}

/// The event monitor, if there is one.
struct EventSink: Sendable {
    let monitor: EventMonitor?

    /// Reports an event to whoever monitors.
    func record(_ event: Event) {
        monitor?.report(event)
    }
}

/// Which Martlet this is.
public enum Version {
    /// The version, as `martlet --version` says it.
    public static let number = "0.1.0"

    /// The version with what identifies the build.
    public static let build = "martlet \(number)"
}
