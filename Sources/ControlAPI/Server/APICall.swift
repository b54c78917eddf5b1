/// A call of the API with its body, read and checked.
public enum APICall: Equatable, Sendable {
    /// Answer with `VmmPing`.
    case ping
    /// Answer, then end the VMM.
    case shutdownVMM
    /// Keep the configuration, which is valid.
    case create(VmConfig)
    /// Start the guest.
    case boot
    /// Stop the vCPUs.
    case pause
    /// Let the vCPUs go on.
    case resume
    /// Answer with `VmInfo`.
    case info
    /// Answer with `VmCounters`.
    case counters
    /// Switch the guest off.
    case shutdown
    /// Remove the guest.
    case delete
    /// Start the guest anew.
    case reboot
    /// Add a disk, and answer with `AddedDevice` where the guest has been booted.
    case addDisk(DiskConfig)
    /// Add a network device, and answer with `AddedDevice` where the guest has been booted.
    case addNet(NetConfig)
    /// Take a device away, or ask the guest to give it up.
    case removeDevice(RemoveDeviceData)
    /// Give a disk another size.
    case resizeDisk(ResizeDiskData)
    /// Press the power button.
    case powerButton
    /// Raise the interrupt that cannot be masked.
    case nmi
    /// Begin to move the guest, and answer at once.
    case sendMigration(SendMigrationData)
    /// Wait for a guest, and answer when it has come.
    case receiveMigration(ReceiveMigrationData)
    /// Answer with `MigrationProgressReport`.
    case migrationProgress
    /// Answer with `MigrationTimelineReport`.
    case migrationTimeline
    /// Answer with `MetricsPage`.
    case metrics
    /// Change the running migration.
    case setMigrationOptions(SetMigrationData)
    /// Let a migration that holds go on.
    case continueMigration
    /// Call the migration off.
    case cancelMigration
    /// Take a person's word for where the guest is.
    case resolveMigration(ResolveMigrationData)

    /// The path that the call came by.
    public var endpoint: Endpoint {
        switch self {
        case .ping: .ping
        case .shutdownVMM: .shutdownVMM
        case .create: .create
        case .boot: .boot
        case .pause: .pause
        case .resume: .resume
        case .info: .info
        case .counters: .counters
        case .shutdown: .shutdown
        case .delete: .delete
        case .reboot: .reboot
        case .addDisk: .addDisk
        case .addNet: .addNet
        case .removeDevice: .removeDevice
        case .resizeDisk: .resizeDisk
        case .powerButton: .powerButton
        case .nmi: .nmi
        case .sendMigration: .sendMigration
        case .receiveMigration: .receiveMigration
        case .migrationProgress: .migrationProgress
        case .migrationTimeline: .migrationTimeline
        case .metrics: .metrics
        case .setMigrationOptions: .setMigrationOptions
        case .continueMigration: .continueMigration
        case .cancelMigration: .cancelMigration
        case .resolveMigration: .resolveMigration
        }
    }

    /// Reads a call from a request.
    /// - Throws: What to answer instead.
    init(_ request: HTTPRequest) throws(APIFailure) {
        let endpoint = try Self.endpoint(of: request)
        if endpoint.hasBody && request.body.isEmpty {
            throw APIFailure(.badRequest, "\(endpoint.rawValue) needs a body")
        }
        if !endpoint.hasBody && !request.body.isEmpty {
            throw APIFailure(.badRequest, "\(endpoint.rawValue) takes no body")
        }
        do throws(SchemaError) {
            self = try Self.decode(endpoint, request.body)
        } catch {
            throw APIFailure(error, of: endpoint)
        }
    }

    private static func endpoint(of request: HTTPRequest) throws(APIFailure) -> Endpoint {
        guard let endpoint = Endpoint(path: request.path) else {
            let name = String(request.path.dropFirst(Endpoint.root.count))
            throw request.path.hasPrefix(Endpoint.root) && Endpoint.unsupported.contains(name)
                ? APIFailure(.notFound, "not supported by Martlet yet: \(name)")
                : APIFailure(.notFound, "There is no path \(request.path)")
        }
        guard request.method == endpoint.method else {
            throw APIFailure(
                .badRequest,
                "\(endpoint.rawValue) takes the method \(endpoint.method), not \(request.method)")
        }
        return endpoint
    }

    private static func decode(
        _ endpoint: Endpoint, _ body: [UInt8]
    ) throws(SchemaError) -> APICall {
        switch endpoint {
        case .ping: return .ping
        case .shutdownVMM: return .shutdownVMM
        case .create:
            let config = try JSONBody.decode(VmConfig.self, from: body)
            try config.validate()
            return .create(config)
        case .boot: return .boot
        case .pause: return .pause
        case .resume: return .resume
        case .info: return .info
        case .counters: return .counters
        case .shutdown: return .shutdown
        case .delete: return .delete
        case .reboot: return .reboot
        case .addDisk: return .addDisk(try JSONBody.decode(DiskConfig.self, from: body))
        case .addNet: return .addNet(try JSONBody.decode(NetConfig.self, from: body))
        case .removeDevice:
            return .removeDevice(try JSONBody.decode(RemoveDeviceData.self, from: body))
        case .resizeDisk:
            return .resizeDisk(try JSONBody.decode(ResizeDiskData.self, from: body))
        case .powerButton: return .powerButton
        case .nmi: return .nmi
        case .sendMigration:
            let data = try JSONBody.decode(SendMigrationData.self, from: body)
            try data.validate()
            return .sendMigration(data)
        case .receiveMigration:
            let data = try JSONBody.decode(ReceiveMigrationData.self, from: body)
            try data.validate()
            return .receiveMigration(data)
        case .migrationProgress: return .migrationProgress
        case .migrationTimeline: return .migrationTimeline
        case .metrics: return .metrics
        case .setMigrationOptions:
            let data = try JSONBody.decode(SetMigrationData.self, from: body)
            try data.validate()
            return .setMigrationOptions(data)
        case .continueMigration: return .continueMigration
        case .cancelMigration: return .cancelMigration
        case .resolveMigration:
            return .resolveMigration(try JSONBody.decode(ResolveMigrationData.self, from: body))
        }
    }
}
