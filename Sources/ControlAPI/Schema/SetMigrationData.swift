/// The body of `vm.set-migration-options`: what is to change about a running migration. What is left
/// out stays as it is.
public struct SetMigrationData: SchemaObject, OptionObject {
    /// The blackout that is aimed for, in milliseconds, at least 1.
    public var downtimeMilliseconds: UInt64?
    /// How long pre-copy may take from its beginning, in seconds, at least 1.
    public var timeoutSeconds: UInt64?
    /// The most bytes of memory per second while the guest runs; 0 for no limit.
    public var bandwidth: UInt64?
    /// The most of its time that may be taken from the guest, in percent, 0 to 99.
    public var throttleMaximum: UInt32?

    /// Changes nothing.
    public init() {}

    /// What errors about its option string name.
    public static let optionName = "set-migration-options"

    /// See `SchemaObject`.
    public static let fields: [Field<SetMigrationData>] = [
        .optional("downtime_ms", \.downtimeMilliseconds),
        .optional("timeout_s", \.timeoutSeconds),
        .optionalSize("bandwidth", \.bandwidth),
        .optional("throttle_max", \.throttleMaximum),
    ]

    /// Checks what the types alone do not say.
    public func validate() throws(SchemaError) {
        if self == SetMigrationData() {
            throw .invalid(
                path: "set-migration-options",
                reason:
                    "needs something to change: downtime_ms, timeout_s, bandwidth or throttle_max")
        }
        try checkDowntime(downtimeMilliseconds)
        try checkTimeout(timeoutSeconds)
        try checkBandwidth(bandwidth)
        try checkThrottle(throttleMaximum)
    }
}

/// Checks `downtime_ms`.
func checkDowntime(_ milliseconds: UInt64?) throws(SchemaError) {
    if milliseconds == 0 { throw .invalid(path: "downtime_ms", reason: "must be at least 1") }
}

/// Checks `timeout_s`.
func checkTimeout(_ seconds: UInt64?) throws(SchemaError) {
    if seconds == 0 { throw .invalid(path: "timeout_s", reason: "must be at least 1") }
}

/// Checks `bandwidth`: less than a block of pages in a second is a mistake in the unit, and a
/// migration that would take for ever.
func checkBandwidth(_ bytesPerSecond: UInt64?) throws(SchemaError) {
    guard let bytesPerSecond, bytesPerSecond > 0, bytesPerSecond < 64 << 10 else { return }
    throw .invalid(
        path: "bandwidth", reason: "must be at least 65536 bytes per second, or 0 for no limit")
}

/// Checks `throttle_max`.
func checkThrottle(_ percent: UInt32?) throws(SchemaError) {
    guard let percent, percent > 99 else { return }
    throw .invalid(path: "throttle_max", reason: "must be from 0 to 99 percent")
}
