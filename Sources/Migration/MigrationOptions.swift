public import Transport

/// How a guest shall be moved.
public struct MigrationOptions: Hashable, Sendable {
    /// How memory gets to the destination.
    public enum Mode: String, Sendable {
        /// Contents are sent while the guest runs, what is written meanwhile again.
        case preCopy = "precopy"
        /// Both ends are on one host: memory is handed over by descriptor, nothing is copied.
        case local
    }

    /// How contents are compressed.
    public enum Compression: String, Sendable {
        /// They are sent as they are.
        case off
        /// With LZ4: fast.
        case lz4
        /// With zstd: smaller.
        case zstd
        /// As pays most, measured while they are sent; also not at all.
        case automatic
    }

    /// What to do when pre-copy has not converged after `timeoutSeconds`.
    public enum TimeoutStrategy: String, Sendable {
        /// Give up; the guest stays.
        case cancel
        /// Pause the guest anyway; the blackout takes as long as it takes.
        case ignore
    }

    /// Where the destination listens.
    public var destination: MigrationURL

    /// How memory gets there.
    public var mode: Mode

    /// The blackout that is aimed at, in milliseconds, at least 1.
    public var downtimeMilliseconds: UInt64

    /// How long pre-copy may take, in seconds, at least 1.
    public var timeoutSeconds: UInt64

    /// What happens after that.
    public var timeoutStrategy: TimeoutStrategy

    /// Connections for memory: 1 sends it over the main connection, 2 to 128 make as many beside
    /// it. Of no effect on a local migration.
    public var connections = 1

    /// Whether contents are compressed, and how. Of no effect on a local migration.
    public var compression = Compression.off

    /// Whether contents carry checksums. Of no effect on a local migration.
    public var hasChecksums = false

    /// Whether both ends compare all of guest memory before the point of no return, while the guest
    /// stands still.
    public var verifiesMemory = false

    /// The most bytes of memory per second while the guest runs, over all connections together; nil
    /// for as fast as it goes.
    public var bytesPerSecond: UInt64?

    /// The most of its time that is taken from a guest which writes faster than its memory can be
    /// sent, in percent, 0 to 99; 0 for nothing.
    public var throttleMaximum = MigrationOptions.standardThrottleMaximum

    /// Takes enough for a guest to be moved that writes several times faster than the connection,
    /// and leaves it enough to answer.
    public static let standardThrottleMaximum = 80

    /// Whether the guest stays here, with rounds going on, until somebody says that it may move.
    public var holdsBeforeSwitchover = false

    /// Speaks the base protocol only, as towards a peer that is no Martlet.
    public var offersExtensions = true

    /// Options with Cloud Hypervisor's defaults.
    public init(
        destination: MigrationURL, mode: Mode = .preCopy, downtimeMilliseconds: UInt64 = 300,
        timeoutSeconds: UInt64 = 3600, timeoutStrategy: TimeoutStrategy = .cancel
    ) {
        self.destination = destination
        self.mode = mode
        self.downtimeMilliseconds = max(1, downtimeMilliseconds)
        self.timeoutSeconds = max(1, timeoutSeconds)
        self.timeoutStrategy = timeoutStrategy
    }

    /// What can be changed later.
    var settings: MigrationSettings {
        MigrationSettings(
            downtimeMilliseconds: downtimeMilliseconds, timeoutSeconds: timeoutSeconds,
            bytesPerSecond: bytesPerSecond, throttleMaximum: throttleMaximum)
    }

    /// The longest blackout after which the source has its guest back, whatever failed before the
    /// point of no return; nil when the user said that none is too long.
    public var blackoutLimitMilliseconds: UInt64? {
        blackoutLimitMilliseconds(downtimeMilliseconds: downtimeMilliseconds)
    }

    /// The same for a goal that was changed on the way.
    func blackoutLimitMilliseconds(downtimeMilliseconds: UInt64) -> UInt64? {
        guard timeoutStrategy == .cancel else { return nil }
        let (tenfold, overflow) = downtimeMilliseconds.multipliedReportingOverflow(by: 10)
        return max(2000, overflow ? .max : tenfold)
    }
}
