/// A path of the API.
public enum Endpoint: String, CaseIterable, Sendable {
    /// Who answers.
    case ping = "vmm.ping"
    /// Ends the VMM.
    case shutdownVMM = "vmm.shutdown"
    /// Configures a guest.
    case create = "vm.create"
    /// Starts the configured guest.
    case boot = "vm.boot"
    /// Stops the vCPUs.
    case pause = "vm.pause"
    /// Lets the vCPUs go on.
    case resume = "vm.resume"
    /// What the guest is and does.
    case info = "vm.info"
    /// What the devices have counted.
    case counters = "vm.counters"
    /// Switches the guest off; its configuration stays.
    case shutdown = "vm.shutdown"
    /// Removes the guest with its configuration.
    case delete = "vm.delete"
    /// Starts the guest anew.
    case reboot = "vm.reboot"
    /// Adds a disk.
    case addDisk = "vm.add-disk"
    /// Adds a network device.
    case addNet = "vm.add-net"
    /// Takes a device away.
    case removeDevice = "vm.remove-device"
    /// Gives a disk another size.
    case resizeDisk = "vm.resize-disk"
    /// Presses the guest's power button.
    case powerButton = "vm.power-button"
    /// Interrupts the guest's vCPUs beyond what it can mask.
    case nmi = "vm.nmi"
    /// Moves the guest to another VMM.
    case sendMigration = "vm.send-migration"
    /// Waits for a guest from another VMM.
    case receiveMigration = "vm.receive-migration"
    /// How far a migration is.
    case migrationProgress = "vm.migration-progress"
    /// What happened in a migration, and when.
    case migrationTimeline = "vm.migration-timeline"
    /// Figures for Prometheus; the only one that is not below `/api/v1/`.
    case metrics
    /// Changes a running migration.
    case setMigrationOptions = "vm.set-migration-options"
    /// Lets a migration that holds go on.
    case continueMigration = "vm.continue-migration"
    /// Calls a migration off.
    case cancelMigration = "vm.cancel-migration"
    /// Ends a doubt about where the guest is, by a person's word.
    case resolveMigration = "vm.resolve-migration"

    /// What all paths start with.
    public static let root = "/api/v1/"

    /// The path in a request.
    public var path: String { self == .metrics ? "/metrics" : Self.root + rawValue }

    /// The endpoint at a path.
    init?(path: String) {
        guard let endpoint = Self.allCases.first(where: { $0.path == path }) else { return nil }
        self = endpoint
    }

    /// The only method it takes.
    public var method: String {
        switch self {
        case .ping, .info, .counters, .migrationProgress, .migrationTimeline, .metrics: "GET"
        default: "PUT"
        }
    }

    /// Whether it needs a body; where it does not, none may be given.
    public var hasBody: Bool {
        switch self {
        case .create, .addDisk, .addNet, .removeDevice, .resizeDisk, .sendMigration,
            .receiveMigration, .resolveMigration, .setMigrationOptions:
            true
        default: false
        }
    }

    /// The paths of Cloud Hypervisor that Martlet does not have yet.
    static let unsupported: Set<String> = [
        "vm.resize", "vm.resize-zone", "vm.add-device", "vm.add-user-device", "vm.add-fs",
        "vm.add-generic-vhost-user", "vm.add-pmem", "vm.add-vdpa", "vm.add-vsock", "vm.snapshot",
        "vm.restore", "vm.coredump",
    ]
}
