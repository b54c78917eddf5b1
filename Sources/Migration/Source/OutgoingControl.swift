public import LinuxSystem
public import MigrationProtocol
import Synchronization
import Transport

/// What other threads may ask of a migration that runs at the source.
public final class OutgoingControl: Sendable {
    /// Ends operations when the migration is cancelled.
    let cancellation: Cancellation

    /// Wakes a source in doubt when a person has decided.
    let operatorWord: Cancellation

    let board = ProgressBoard(phase: .connecting)

    private struct State {
        var isPastPointOfNoReturn = false
        var resolution: OperatorResolution?
    }

    private let state = Mutex(State())

    /// The control of one migration.
    public init() throws(SystemError) {
        cancellation = try Cancellation()
        operatorWord = try Cancellation()
    }

    /// Calls the migration off.
    ///
    /// - Returns: whether that is still possible; false once the guest may be the destination's.
    public func cancel(_ reason: String, at now: MonotonicInstant = .now) -> Bool {
        state.withLock { state in
            guard !state.isPastPointOfNoReturn else { return false }
            cancellation.request(reason, at: now)
            return true
        }
    }

    /// Ends a doubt by a person's word, who has made sure that the guest runs at one end only.
    public func resolveDoubt(_ resolution: OperatorResolution) {
        state.withLock { $0.resolution = resolution }
        operatorWord.request("the operator has decided")
    }

    /// Where the migration stands.
    public func progress(at now: MonotonicInstant = .now) -> MigrationProgress {
        board.snapshot(at: now)
    }

    /// What a person has decided.
    var resolution: OperatorResolution? { state.withLock { $0.resolution } }

    /// Ends the time in which the migration can be cancelled.
    ///
    /// - Returns: false when it was cancelled before.
    func passPointOfNoReturn() -> Bool {
        state.withLock { state in
            guard cancellation.request == nil else { return false }
            state.isPastPointOfNoReturn = true
            return true
        }
    }
}
