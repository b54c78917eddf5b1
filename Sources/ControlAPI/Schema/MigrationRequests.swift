/// The body of `vm.send-migration`.
public struct SendMigrationData: SchemaObject, OptionObject {
    /// Where the destination listens: `tcp:HOST:PORT` or `unix:PATH`.
    public var destinationURL = ""
    /// Whether memory is handed over instead of copied; both ends on one host, UNIX socket only.
    public var local = false
    /// The blackout that is aimed for, in milliseconds, at least 1.
    public var downtimeMilliseconds: UInt64 = 300
    /// How long the migration may take, in seconds, at least 1.
    public var timeoutSeconds: UInt64 = 3600
    /// Connections for memory: 1 sends it over the main connection, 2 to 128 make as many beside it.
    public var connections: UInt32 = 1
    /// Whether contents of memory are compressed on the way, and how.
    public var compression = Compression.off
    /// Whether contents of memory carry checksums.
    public var checksums = false
    /// Whether both ends compare all of the guest's memory before it changes its owner.
    public var verify = false
    /// What happens when it takes longer.
    public var timeoutStrategy = TimeoutStrategy.cancel
    /// The most bytes of memory per second while the guest runs, over all connections; 0 for no
    /// limit.
    public var bandwidth: UInt64 = 0
    /// The most of its time that may be taken from a guest which writes too fast, in percent, 0 to
    /// 99; 0 for nothing.
    public var throttleMaximum: UInt32 = 80
    /// Whether the guest stays until `vm.continue-migration`, with passes going on.
    public var holdsBeforeSwitchover = false
    /// When memory moves; `memfds` is another word for `local`.
    public var memoryMode = MemoryMode.precopy
    /// The folder with `ca-cert.pem`, `client-cert.pem` and `client-key.pem`: the connections are
    /// protected with TLS. Nil for plain ones.
    public var tlsFolder: String?
    /// A file that gets the timeline when the migration has ended, however that was.
    public var timeline: String?

    /// How contents of memory are compressed.
    public enum Compression: String, SchemaChoice {
        /// Not at all.
        case off = "Off"
        /// With zstd, by the thread of each connection.
        case zstd = "Zstd"
        /// With LZ4, by the thread of each connection.
        case lz4 = "Lz4"
        /// As a measurement while they are sent says.
        case auto = "Auto"
    }

    /// What happens when a migration takes longer than it may.
    public enum TimeoutStrategy: String, SchemaChoice {
        /// The guest stays at the source.
        case cancel = "Cancel"
        /// The rest is moved however long the blackout becomes.
        case ignore = "Ignore"
    }

    /// Whether memory is handed over, by whichever word.
    public var handsMemoryOver: Bool { local || memoryMode == .memfds }

    /// Only for `SchemaObject`: there is no default for the destination.
    public init() {}

    /// To `destinationURL`, with the defaults.
    public init(destinationURL: String) {
        self.destinationURL = destinationURL
    }

    /// What errors about its option string name.
    public static let optionName = "send-migration"

    /// See `SchemaObject`.
    public static let fields: [Field<SendMigrationData>] = [
        .required("destination_url", \.destinationURL),
        .value("local", \.local),
        .unsupported("preserve_source", default: false),
        .value("downtime_ms", \.downtimeMilliseconds),
        .value("timeout_s", \.timeoutSeconds),
        .value("timeout_strategy", \.timeoutStrategy),
        .value("connections", \.connections),
        .size("bandwidth", \.bandwidth),
        .value("throttle_max", \.throttleMaximum),
        .value("hold_before_switchover", \.holdsBeforeSwitchover),
        .optional("tls_dir", \.tlsFolder),
        .optional("timeline", \.timeline),
        .value("compression", \.compression),
        .value("checksums", \.checksums),
        .value("verify", \.verify),
        .value("memory_mode", \.memoryMode, supported: [.precopy, .memfds]),
    ]

    /// Checks what the types alone do not say.
    public func validate() throws(SchemaError) {
        try checkMigrationURL(destinationURL, at: "destination_url")
        try checkTLSFolder(tlsFolder, with: destinationURL, "destination_url")
        if handsMemoryOver && !destinationURL.hasPrefix("unix:") {
            throw .invalid(
                path: local ? "local" : "memory_mode",
                reason: "needs a destination_url with unix:, on the same host")
        }
        guard (1...128).contains(connections) else {
            throw .invalid(path: "connections", reason: "must be from 1 to 128")
        }
        if handsMemoryOver && connections > 1 {
            throw .invalid(
                path: "connections", reason: "must be 1 with local=on, which sends no memory")
        }
        try checkContents()
        if handsMemoryOver && bandwidth > 0 {
            throw .invalid(
                path: "bandwidth", reason: "must be 0 with local=on, which sends no memory")
        }
        try checkDowntime(downtimeMilliseconds)
        try checkTimeout(timeoutSeconds)
        try checkBandwidth(bandwidth)
        try checkThrottle(throttleMaximum)
    }
}

extension SendMigrationData {
    /// A local migration hands memory over: there are no contents to compress, check or compare.
    private func checkContents() throws(SchemaError) {
        guard handsMemoryOver else { return }
        let reason = "must be off with local=on, which sends no memory"
        if compression != .off { throw .invalid(path: "compression", reason: reason) }
        if checksums { throw .invalid(path: "checksums", reason: reason) }
        if verify { throw .invalid(path: "verify", reason: reason) }
    }
}

/// The body of `vm.receive-migration`.
public struct ReceiveMigrationData: SchemaObject, OptionObject {
    /// Where to listen: `tcp:HOST:PORT` or `unix:PATH`.
    public var receiverURL = ""
    /// When memory moves. The source decides; this is accepted and has no effect.
    public var memoryMode = MemoryMode.precopy
    /// The folder with `ca-cert.pem`, `server-cert.pem` and `server-key.pem`: only protected
    /// connections are accepted. Nil for plain ones.
    public var tlsFolder: String?
    /// With TLS, the names of which a source's certificate must carry one; `*` stands for all.
    /// Without any, it must carry the address that the source connects from.
    public var tlsNames: [String] = []
    /// A file that gets the timeline when the migration has ended, however that was.
    public var timeline: String?

    /// Only for `SchemaObject`: there is no default for the address.
    public init() {}

    /// Listens at `receiverURL`, with the defaults.
    public init(receiverURL: String) {
        self.receiverURL = receiverURL
    }

    /// What errors about its option string name.
    public static let optionName = "receive-migration"

    /// See `SchemaObject`.
    public static let fields: [Field<ReceiveMigrationData>] = [
        .required("receiver_url", \.receiverURL),
        .optional("tls_dir", \.tlsFolder),
        .value("tls_names", \.tlsNames),
        .optional("timeline", \.timeline),
        .value("memory_mode", \.memoryMode, supported: [.precopy, .memfds]),
        .unsupported("vfio_fds"),
        .unsupported("iommufd_fd"),
        .unsupported("zone_updates"),
    ]

    /// Checks what the types alone do not say.
    public func validate() throws(SchemaError) {
        try checkMigrationURL(receiverURL, at: "receiver_url")
        try checkTLSFolder(tlsFolder, with: receiverURL, "receiver_url")
        if !tlsNames.isEmpty && tlsFolder == nil {
            throw .invalid(path: "tls_names", reason: "needs tls_dir")
        }
        if tlsNames.contains("") {
            throw .invalid(path: "tls_names", reason: "must not contain empty names")
        }
    }
}

/// The body of `vm.resolve-migration`.
public struct ResolveMigrationData: SchemaObject, OptionObject {
    /// The end that has the guest, as a person has made sure.
    public var owner = Owner.destination

    /// An end of a migration.
    public enum Owner: String, SchemaChoice {
        /// The guest goes on at the source; it can never run at the destination.
        case source = "Source"
        /// The guest runs at the destination; the source lets go of it.
        case destination = "Destination"
    }

    /// Only for `SchemaObject`: there is no default for the owner.
    public init() {}

    /// The guest belongs to `owner`.
    public init(owner: Owner) {
        self.owner = owner
    }

    /// What errors about its option string name.
    public static let optionName = "resolve-migration"

    /// See `SchemaObject`.
    public static let fields: [Field<ResolveMigrationData>] = [.required("owner", \.owner)]
}

/// When memory moves.
public enum MemoryMode: String, SchemaChoice {
    /// Before the guest does.
    case precopy = "Precopy"
    /// After it.
    case postcopy = "Postcopy"
    /// It does not: it is handed over to the other end, on the same host.
    case memfds = "Memfds"
}

/// The scheme alone: the rest is checked by whoever opens the connection.
private func checkMigrationURL(_ url: String, at path: String) throws(SchemaError) {
    let scheme = url.prefix { $0 != ":" }
    guard ["tcp", "unix"].contains(scheme), url.count > scheme.count + 1 else {
        throw .invalid(path: path, reason: "must be tcp:HOST:PORT or unix:PATH, not '\(url)'")
    }
}

/// TLS is for TCP; what the folder holds is checked by whoever uses it.
private func checkTLSFolder(
    _ folder: String?, with url: String, _ path: String
) throws(SchemaError) {
    guard let folder else { return }
    if folder.isEmpty || folder.utf8.contains(0) {
        throw .invalid(path: "tls_dir", reason: "must be the path of a folder")
    }
    if !url.hasPrefix("tcp:") {
        throw .invalid(path: "tls_dir", reason: "needs a \(path) with tcp:")
    }
}
