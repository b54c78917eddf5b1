/// What can be changed while a guest is being moved: `vm.set-migration-options`.
public struct MigrationSettings: Hashable, Sendable {
    /// The blackout that is aimed at, in milliseconds, at least 1.
    public var downtimeMilliseconds: UInt64

    /// How long pre-copy may take, in seconds, at least 1, counted from its beginning.
    public var timeoutSeconds: UInt64

    /// The most bytes of memory per second while the guest runs, over all connections together; nil
    /// for as fast as it goes.
    public var bytesPerSecond: UInt64?

    /// The most of its time that is taken from a guest which writes too fast, in percent; 0 for
    /// nothing.
    public var throttleMaximum: Int

    /// The blackout that is aimed at, in nanoseconds.
    var downtimeNanoseconds: UInt64 { Self.scaled(downtimeMilliseconds, by: 1_000_000) }

    /// How long pre-copy may take, in nanoseconds.
    var timeoutNanoseconds: UInt64 { Self.scaled(timeoutSeconds, by: 1_000_000_000) }

    private static func scaled(_ value: UInt64, by factor: UInt64) -> UInt64 {
        let (product, overflow) = value.multipliedReportingOverflow(by: factor)
        return overflow ? .max : product
    }
}
