/// The answer of `vmm.ping`.
public struct VmmPing: Codable, Equatable, Sendable {
    /// The version with what identifies the build.
    public var buildVersion: String
    /// The version.
    public var version: String
    /// The process of the VMM.
    public var pid: Int64
    /// What this build can do beyond the base.
    public var features: [String]

    /// An answer with all its parts.
    public init(buildVersion: String, version: String, pid: Int64, features: [String]) {
        self.buildVersion = buildVersion
        self.version = version
        self.pid = pid
        self.features = features
    }

    private enum CodingKeys: String, CodingKey {
        case buildVersion = "build_version"
        case version, pid, features
    }
}

/// The answer of `vm.info`.
public struct VmInfo: Codable, Equatable, Sendable {
    /// What the guest of a VMM is doing.
    public enum State: String, Codable, Sendable {
        /// Configured, never booted.
        case created = "Created"
        /// vCPUs run.
        case running = "Running"
        /// Shut down; it can be booted again.
        case shutdown = "Shutdown"
        /// vCPUs are stopped, everything is kept.
        case paused = "Paused"
    }

    /// The configuration, with its defaults written out.
    public var config: VmConfig
    /// What the guest is doing.
    public var state: State
    /// Bytes of RAM that the guest has.
    public var memoryActualSize: UInt64
    /// The devices by name; nil for a guest that has not been booted.
    public var deviceTree: [String: DeviceNode]?

    /// An answer with all its parts.
    public init(
        config: VmConfig, state: State, memoryActualSize: UInt64,
        deviceTree: [String: DeviceNode]? = nil
    ) {
        self.config = config
        self.state = state
        self.memoryActualSize = memoryActualSize
        self.deviceTree = deviceTree
    }

    private enum CodingKeys: String, CodingKey {
        case config, state
        case memoryActualSize = "memory_actual_size"
        case deviceTree = "device_tree"
    }
}

/// The answer of `vm.counters`: the device's id, then the counter's name. Network devices count
/// `rx_bytes`, `rx_frames`, `rx_dropped` and the same with `tx`; block devices `read_bytes`, `write_bytes`,
/// `read_ops` and `write_ops`.
public typealias VmCounters = [String: [String: UInt64]]
