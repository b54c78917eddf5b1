import ControlAPI
import Machine

/// What a VMM has of a guest. Only the control thread touches it; each change consumes the value
/// before it, so that a guest is in one state and has one owner.
enum GuestSlot: ~Copyable {
    /// No guest.
    case empty
    /// A configuration; no machine. Also after the guest was shut down.
    case created(VmConfig)
    /// A guest that runs.
    case running(VirtualMachine<KVMGuest>)
    /// A guest that stands still.
    case paused(PausedMachine<KVMGuest>)
    /// A guest that stands still without some of its backends, which could not be taken back after
    /// a failed migration. Resuming it tries again.
    case stranded(SurrenderedMachine<KVMGuest>)
    /// A guest that is being moved away. The migration's thread owns it.
    case sending(OutgoingTask)
    /// A guest that is being received. The migration's thread owns what there is of it.
    case receiving(IncomingTask)

    /// The state without what it owns.
    var phase: GuestPhase {
        switch self {
        case .empty: .empty
        case .created: .created
        case .running: .running
        case .paused: .paused
        case .stranded: .stranded
        case .sending: .sending
        case .receiving: .receiving
        }
    }
}

/// Where a guest stands, as a plain value.
enum GuestPhase: String, CaseIterable, Sendable {
    case empty, created, running, paused, stranded, sending, receiving

}

extension GuestSlot {
    /// The state as `vm.info` says it.
    var state: VmInfo.State {
        switch self {
        case .running: .running
        case .paused: .paused
        case .stranded: .paused
        case .sending(let task): task.standsStill ? .paused : .running
        default: .created
        }
    }

    /// The task that moves the guest away, while there is one.
    var outgoing: OutgoingTask? {
        switch self {
        case .sending(let task): task
        default: nil
        }
    }

    /// The machine, where there is one that can be asked.
    var hardware: KVMGuest? {
        switch self {
        case .running(let machine): machine.hardware
        case .paused(let machine): machine.hardware
        case .stranded(let machine): machine.hardware
        case .sending(let task): task.hardware
        default: nil
        }
    }

    /// The guest's configuration, where it is known.
    var configuration: VmConfig? {
        switch self {
        case .created(let configuration): configuration
        default: hardware?.configuration
        }
    }

    /// The configuration with which the guest starts anew, where it is known.
    var configurationAtReset: VmConfig? {
        hardware?.configurationAtReset ?? configuration
    }
}

extension GuestPhase {
    /// Why a call cannot be carried out now; nil when it can.
    ///
    /// The statuses are Cloud Hypervisor's: 404 where there is no guest, 500 where it is in
    /// another state.
    func refusal(of endpoint: Endpoint) -> APIFailure? {
        switch (endpoint, self) {
        case (.ping, _), (.migrationProgress, _), (.migrationTimeline, _), (.metrics, _):
            nil
        case (.shutdownVMM, .sending), (.shutdownVMM, .receiving):
            migrating
        case (.shutdownVMM, _):
            nil
        case (.create, .empty), (.receiveMigration, .empty):
            nil
        case (.create, .receiving), (.receiveMigration, .receiving):
            APIFailure(.internalError, "A guest is being received", "VM is migrating")
        case (.create, _), (.receiveMigration, _):
            APIFailure(.internalError, "VM is already created", "vm.delete removes it")
        case (.cancelMigration, .sending), (.cancelMigration, .receiving):
            nil
        case (.cancelMigration, _):
            APIFailure(.internalError, "No migration is running")
        case (.setMigrationOptions, .sending), (.continueMigration, .sending):
            nil
        case (.setMigrationOptions, .receiving), (.continueMigration, .receiving):
            migrating
        case (.setMigrationOptions, _), (.continueMigration, _):
            APIFailure(
                .internalError, "No guest is being sent from here",
                "Options are those of the source, which decides when the guest is switched")
        case (.resolveMigration, .sending):
            nil
        case (.resolveMigration, .receiving):
            migrating
        case (.resolveMigration, _):
            APIFailure(
                .internalError, "No migration is in doubt here",
                "Only the source of a migration can be; a doubt cannot be resolved elsewhere")
        case (_, .empty):
            APIFailure(.notFound, "VM is not created", "vm.create makes one")
        case (.info, _), (.counters, .running), (.counters, .paused), (.counters, .stranded),
            (.counters, .sending):
            nil
        case (_, .sending), (_, .receiving):
            migrating
        case (.delete, _), (.boot, .created), (.addDisk, .created), (.addNet, .created),
            (.removeDevice, .created):
            nil
        case (.boot, _):
            APIFailure(.internalError, "VM is already booted")
        case (_, .created):
            APIFailure(.notFound, "VM is not running", "vm.boot starts it")
        case (.pause, .paused), (.pause, .stranded):
            APIFailure(.internalError, "VM is already paused")
        case (.resume, .running):
            APIFailure(.internalError, "VM is not paused")
        case (.sendMigration, .stranded), (.addDisk, .stranded), (.addNet, .stranded),
            (.removeDevice, .stranded), (.resizeDisk, .stranded):
            APIFailure(
                .internalError, "VM lacks backends which a failed migration could not take back",
                "vm.resume tries again")
        case (.pause, .running), (.resume, _), (.shutdown, _), (.reboot, _),
            (.sendMigration, _), (.addDisk, _), (.addNet, _), (.removeDevice, _), (.resizeDisk, _),
            (.powerButton, _), (.nmi, _):
            nil
        }
    }

    private var migrating: APIFailure {
        APIFailure(.internalError, "VM is migrating", "Wait for its end or cancel it")
    }
}
