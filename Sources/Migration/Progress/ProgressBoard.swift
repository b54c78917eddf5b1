import LinuxSystem
import Synchronization

/// The one copy of a migration's progress and of its timeline, written by its threads and read by
/// any other.
final class ProgressBoard: Sendable {
    /// Tells the time.
    typealias Clock = @Sendable () -> MonotonicInstant

    private struct State {
        var progress: MigrationProgress
        var start: MonotonicInstant?
        var end: MonotonicInstant?
        var recorder = TimelineRecorder()

        /// A point in time on the timeline.
        func offset(_ now: MonotonicInstant) -> UInt64 {
            start.map { now.nanoseconds(since: $0) } ?? 0
        }
    }

    private let state: Mutex<State>

    /// In a structure: a bare function would be wrapped once more each time that it is read through
    /// a generic type, until calling it overflows the stack.
    private struct Time {
        var now: Clock
    }

    /// Asked before the state is locked, as it may have a lock of its own.
    private let clock = Mutex<Time?>(nil)

    init(phase: MigrationProgress.Phase) {
        state = Mutex(State(progress: MigrationProgress(phase: phase)))
    }

    /// Starts the clock with the first step.
    func begin(_ phase: MigrationProgress.Phase, _ clock: @escaping Clock) {
        let now = clock()
        self.clock.withLock { $0 = Time(now: clock) }
        state.withLock {
            $0.start = now
            $0.progress.phase = phase
            $0.recorder.begin(realTime: RealtimeClock.nanoseconds)
            $0.recorder.enter($0.progress, at: 0)
        }
    }

    /// Changes the progress.
    func update(_ change: (inout MigrationProgress) -> Void) {
        let now = time
        state.withLock {
            change(&$0.progress)
            if let now { $0.recorder.advance($0.progress, at: $0.offset(now)) }
        }
    }

    /// Contents of memory were sent.
    ///
    /// - Parameter stored: the bytes that went over the wire for them.
    func sent(_ bytes: UInt64, stored: UInt64) {
        update {
            $0.bytesSent += bytes
            $0.bytesSaved += bytes - min(bytes, stored)
            $0.bytesRemaining -= min($0.bytesRemaining, bytes)
        }
    }

    /// Memory was told as zeros.
    func sentZeros(_ bytes: UInt64) {
        update {
            $0.bytesZero += bytes
            $0.bytesRemaining -= min($0.bytesRemaining, bytes)
        }
    }

    /// Enters a step; one of the last ones stops the clock.
    func enter(_ phase: MigrationProgress.Phase, at now: MonotonicInstant) {
        state.withLock {
            $0.progress.phase = phase
            $0.recorder.enter($0.progress, at: $0.offset(now))
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

    /// The present time; nil before the migration has begun.
    private var time: MonotonicInstant? { clock.withLock { $0 }?.now() }
}

// MARK: - The timeline

extension ProgressBoard {
    /// A copy of the timeline; while the migration goes on, with a sample of `now`.
    func timeline(at now: MonotonicInstant) -> MigrationTimeline {
        state.withLock { state in
            var timeline = state.recorder.timeline
            if state.start != nil, state.end == nil {
                timeline.samples.append(
                    TimelineRecorder.sample(of: state.progress, at: state.offset(now)))
            }
            return timeline
        }
    }

    /// A round is over, which began at `began` and took until `now`.
    func roundEnded(
        number: UInt64, began: MonotonicInstant, at now: MonotonicInstant, pages: UInt64,
        bytes: UInt64
    ) {
        state.withLock {
            $0.recorder.add(
                MigrationTimeline.Round(
                    number: number, at: $0.offset(began),
                    nanoseconds: now.nanoseconds(since: began), pages: pages, bytes: bytes))
        }
    }

    /// What the guest wrote to during the last round.
    func roundDirtied(bytes: UInt64) {
        state.withLock { $0.recorder.lastRoundDirtied(bytes) }
    }

    /// Writes down what was decided, for people who read the timeline.
    func note(_ text: String) {
        guard let now = time else { return }
        state.withLock { $0.recorder.note(text, at: $0.offset(now)) }
    }

    /// What the source's clock of the blackout says.
    func show(_ clock: BlackoutClock) {
        guard let start = clock.start else { return }
        state.withLock {
            var blackout = MigrationTimeline.Blackout(at: $0.offset(start))
            blackout.parts = clock.ended.map { phase in
                MigrationTimeline.Blackout.Part(
                    name: phase.nameInReports, nanoseconds: clock.blackout[phase])
            }
            $0.recorder.set(blackout)
        }
    }

    /// The guest is known to stand still; what this end does about it begins.
    func beginBlackout(at now: MonotonicInstant) {
        state.withLock {
            $0.recorder.set(MigrationTimeline.Blackout(at: $0.offset(now)))
        }
    }

    /// A part of the blackout is over.
    func endPart(_ name: String, at now: MonotonicInstant) {
        state.withLock { $0.recorder.endPart(name, at: $0.offset(now)) }
    }
}
