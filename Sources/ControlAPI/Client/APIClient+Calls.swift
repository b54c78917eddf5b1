public import LinuxSystem

/// The calls of the API by name. Each waits until `deadline`, or for ever if that is nil.
extension APIClient {
    /// Who answers.
    public func ping(deadline: MonotonicInstant? = usual) throws(APIClientError) -> VmmPing {
        try answer(.ping, deadline)
    }

    /// What the guest is and does.
    public func info(deadline: MonotonicInstant? = usual) throws(APIClientError) -> VmInfo {
        try answer(.info, deadline)
    }

    /// What the devices have counted.
    public func counters(deadline: MonotonicInstant? = usual) throws(APIClientError) -> VmCounters {
        try answer(.counters, deadline)
    }

    /// How far the migration is.
    public func migrationProgress(
        deadline: MonotonicInstant? = usual
    ) throws(APIClientError) -> MigrationProgressReport {
        try answer(.migrationProgress, deadline)
    }

    /// What happened in the migration, and when.
    public func migrationTimeline(
        deadline: MonotonicInstant? = usual
    ) throws(APIClientError) -> MigrationTimelineReport {
        try answer(.migrationTimeline, deadline)
    }

    /// Figures, as Prometheus reads them.
    public func metrics(deadline: MonotonicInstant? = usual) throws(APIClientError) -> String {
        String(decoding: try call(.metrics, deadline: deadline), as: UTF8.self)
    }

    /// Configures a guest.
    public func create(
        _ config: VmConfig, deadline: MonotonicInstant? = usual
    ) throws(APIClientError) {
        _ = try call(.create, body: JSONBody.encode(config), deadline: deadline)
    }

    /// Adds a disk.
    /// - Returns: its name and place; nil for a guest that has not been booted.
    public func addDisk(
        _ disk: DiskConfig, deadline: MonotonicInstant? = usual
    ) throws(APIClientError) -> AddedDevice? {
        try added(.addDisk, JSONBody.encode(disk), deadline)
    }

    /// Adds a network device.
    /// - Returns: its name and place; nil for a guest that has not been booted.
    public func addNet(
        _ net: NetConfig, deadline: MonotonicInstant? = usual
    ) throws(APIClientError) -> AddedDevice? {
        try added(.addNet, JSONBody.encode(net), deadline)
    }

    /// Takes a device away, or asks the guest to give it up.
    public func removeDevice(
        _ id: String, deadline: MonotonicInstant? = usual
    ) throws(APIClientError) {
        _ = try call(
            .removeDevice, body: JSONBody.encode(RemoveDeviceData(id: id)), deadline: deadline)
    }

    /// Gives a disk another size.
    public func resizeDisk(
        _ data: ResizeDiskData, deadline: MonotonicInstant? = usual
    ) throws(APIClientError) {
        _ = try call(.resizeDisk, body: JSONBody.encode(data), deadline: deadline)
    }

    /// Begins to move the guest; `migrationProgress` says how it goes on.
    public func sendMigration(
        _ data: SendMigrationData, deadline: MonotonicInstant? = usual
    ) throws(APIClientError) {
        _ = try call(.sendMigration, body: JSONBody.encode(data), deadline: deadline)
    }

    /// Changes the running migration.
    public func setMigrationOptions(
        _ data: SetMigrationData, deadline: MonotonicInstant? = usual
    ) throws(APIClientError) {
        _ = try call(.setMigrationOptions, body: JSONBody.encode(data), deadline: deadline)
    }

    /// Waits until a guest has come.
    public func receiveMigration(
        _ data: ReceiveMigrationData, deadline: MonotonicInstant?
    ) throws(APIClientError) {
        _ = try call(.receiveMigration, body: JSONBody.encode(data), deadline: deadline)
    }

    /// Says which end has a guest that a source is in doubt about.
    public func resolveMigration(
        _ data: ResolveMigrationData, deadline: MonotonicInstant? = usual
    ) throws(APIClientError) {
        _ = try call(.resolveMigration, body: JSONBody.encode(data), deadline: deadline)
    }

    /// Makes a call that has neither a body nor an answer, such as `.boot`.
    public func perform(
        _ endpoint: Endpoint, deadline: MonotonicInstant? = usual
    ) throws(APIClientError) {
        _ = try call(endpoint, deadline: deadline)
    }

    /// Thirty seconds from now: more than any call takes but `receiveMigration`.
    public static var usual: MonotonicInstant { .after(milliseconds: 30_000) }

    private func answer<Answer: Decodable>(
        _ endpoint: Endpoint, _ deadline: MonotonicInstant?
    ) throws(APIClientError) -> Answer {
        try decode(try call(endpoint, deadline: deadline))
    }

    private func added(
        _ endpoint: Endpoint, _ body: [UInt8], _ deadline: MonotonicInstant?
    ) throws(APIClientError) -> AddedDevice? {
        let answer = try call(endpoint, body: body, deadline: deadline)
        return answer.isEmpty ? nil : try decode(answer)
    }

    private func decode<Answer: Decodable>(
        _ body: [UInt8]
    ) throws(APIClientError) -> Answer {
        do throws(SchemaError) {
            return try JSONBody.decode(Answer.self, from: body)
        } catch {
            throw .unexpectedAnswer(path: path, reason: "\(error)")
        }
    }
}
