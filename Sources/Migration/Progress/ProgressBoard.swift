import LinuxSystem
import Synchronization

/// The one copy of a migration's progress, written by its thread and read by any other.
final class ProgressBoard: Sendable {
    private struct State {
        var progress: MigrationProgress
        var start: MonotonicInstant?
        var end: MonotonicInstant?
    }

    private let state: Mutex<State>

    init(phase: MigrationProgress.Phase) {
        state = Mutex(State(progress: MigrationProgress(phase: phase)))
    }

    /// Starts the clock.
    func begin(at now: MonotonicInstant) {
        state.withLock { $0.start = now }
    }

    /// Changes the progress.
    func update(_ change: (inout MigrationProgress) -> Void) {
        state.withLock { change(&$0.progress) }
    }

    /// Enters a step; one of the last ones stops the clock.
    func enter(_ phase: MigrationProgress.Phase, at now: MonotonicInstant) {
        state.withLock {
            $0.progress.phase = phase
            switch phase {
            case .finished, .failed, .cancelled: $0.end = now
            default: break
            }
        }
    }

    /// A copy, with the time that has passed by `now`.
    func snapshot(at now: MonotonicInstant) -> MigrationProgress {
        state.withLock { state in
            var progress = state.progress
            if let start = state.start {
                progress.elapsedMilliseconds =
                    (state.end ?? now).nanoseconds(since: start) / 1_000_000
            }
            return progress
        }
    }
}
