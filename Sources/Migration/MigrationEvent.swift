/// What the event monitor tells about a migration.
public enum MigrationEvent: Equatable, Sendable {
    /// A source begins.
    case started
    /// A source has sent all memory of a round; rounds count from 0.
    case memoryIteration(UInt64)
    /// The guest is the destination's.
    case finished(MigrationSummary)
    /// The guest stays with this source.
    case failed(reason: String)
    /// The guest stays with this source, because somebody wished so or because it has ended.
    case cancelled(reason: String)
    /// The answer of the destination was lost; the source holds the guest until it knows.
    case inDoubt(reason: String)
    /// A destination listens.
    case receiveReady
    /// A source has connected to this destination.
    case receiveStarted
    /// The guest is this destination's.
    case receiveFinished
    /// The guest stays with its source.
    case receiveFailed(reason: String)
}

/// Who wants to be told. Called on the migration's thread, so it must not wait.
public typealias MigrationObserver = @Sendable (MigrationEvent) -> Void
