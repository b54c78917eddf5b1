/// Something that happened, for the event monitor. The names are Cloud Hypervisor's.
public struct Event: Equatable, Sendable {
    /// What it happened to.
    public enum Source: String, Sendable {
        /// The process.
        case vmm
        /// The guest as a whole.
        case vm
        /// One of its devices.
        case virtioDevice = "virtio-device"
        /// What the guest said itself.
        case guest
    }

    /// What it happened to.
    public var source: Source
    /// What happened.
    public var name: String
    /// More about it.
    public var properties: [String: String]

    private init(_ source: Source, _ name: String, _ properties: [String: String] = [:]) {
        self.source = source
        self.name = name
        self.properties = properties
    }
}

// MARK: - The process

extension Event {
    /// The VMM has been started.
    public static let vmmStarting = Event(.vmm, "starting")
    /// The VMM ends.
    public static let vmmShutdown = Event(.vmm, "shutdown")
}

// MARK: - The guest

extension Event {
    /// The guest is about to boot.
    public static let booting = Event(.vm, "booting")
    /// The guest has booted: its vCPUs run.
    public static let booted = Event(.vm, "booted")
    /// The vCPUs are about to stop.
    public static let pausing = Event(.vm, "pausing")
    /// The vCPUs are stopped.
    public static let paused = Event(.vm, "paused")
    /// The vCPUs are about to go on.
    public static let resuming = Event(.vm, "resuming")
    /// The vCPUs run again.
    public static let resumed = Event(.vm, "resumed")
    /// The guest is about to be started anew.
    public static let rebooting = Event(.vm, "rebooting")
    /// The guest was started anew.
    public static let rebooted = Event(.vm, "rebooted")
    /// The guest is switched off.
    public static let shutdown = Event(.vm, "shutdown")
    /// The guest is removed.
    public static let deleted = Event(.vm, "deleted")
    /// The guest says that its kernel has panicked.
    public static let panicked = Event(.guest, "panic")

    /// The guest cannot go on, as after a triple fault.
    public static func crashed(_ reason: String) -> Event {
        Event(.guest, "crashed", ["reason": reason])
    }
}

// MARK: - Migration

extension Event {
    /// The source has begun to move the guest.
    public static let migrationStarted = Event(.vm, "migration-started")
    /// The guest is at the destination.
    public static let migrationFinished = Event(.vm, "migration-finished")
    /// The guest stays at the source.
    public static let migrationFailed = Event(.vm, "migration-failed")
    /// The source gave the guest away and got no answer; it stands still until that is known.
    public static let migrationInDoubt = Event(.vm, "migration-in-doubt")
    /// The guest stays at the source, because somebody wished so.
    public static let migrationCancelled = Event(.vm, "migration-cancelled")
    /// The destination listens.
    public static let migrationReceiveReady = Event(.vm, "migration-receive-ready")
    /// The source has connected.
    public static let migrationReceiveStarted = Event(.vm, "migration-receive-started")
    /// The guest has come.
    public static let migrationReceiveFinished = Event(.vm, "migration-receive-finished")
    /// The guest has not come.
    public static let migrationReceiveFailed = Event(.vm, "migration-receive-failed")

    /// The source begins another pass over the memory.
    public static func migrationMemoryIteration(_ iteration: UInt64) -> Event {
        Event(.vm, "migration-memory-iteration", ["id": "\(iteration)"])
    }
}

// MARK: - Devices

extension Event {
    /// The guest's driver has taken a device into use.
    public static func activated(device id: String) -> Event {
        Event(.virtioDevice, "activated", ["id": id])
    }

    /// A device was put into the guest while it runs or is paused.
    public static func deviceAdded(device id: String, address: String) -> Event {
        Event(.vm, "device-added", ["id": id, "bdf": address])
    }

    /// The guest has given up a device, and it is gone.
    public static func deviceRemoved(device id: String) -> Event {
        Event(.vm, "device-removed", ["id": id])
    }

    /// The guest's driver has reset a device.
    public static func reset(device id: String) -> Event {
        Event(.virtioDevice, "reset", ["id": id])
    }
}
