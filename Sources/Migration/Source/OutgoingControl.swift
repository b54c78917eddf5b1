public import LinuxSystem
public import Machine
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

    /// Wakes a migration that holds before the switch.
    let changed: EventDescriptor

    private struct State {
        /// Nil before the migration has begun.
        var settings: MigrationSettings?
        /// What was changed before that.
        var earlyChanges: [@Sendable (inout MigrationSettings) -> Void] = []
        /// Whether somebody has said that a migration that holds may go on.
        var maySwitch = false
        var isPastPointOfNoReturn = false
        /// Whether the answer to Takeover was lost, and the flag of a local migration then.
        var isInDoubt = false
        var runFlag: SharedFlag?
        var resolution: OperatorResolution?
    }

    private let state = Mutex(State())

    /// The control of one migration.
    public init() throws(SystemError) {
        cancellation = try Cancellation()
        operatorWord = try Cancellation()
        changed = try EventDescriptor(name: "change of a migration")
    }

    /// Calls the migration off.
    ///
    /// - Returns: whether that is still possible; false once the guest may be the destination's.
    public func cancel(_ reason: String, at now: MonotonicInstant = .now) -> Bool {
        state.withLock { state in
            guard !state.isPastPointOfNoReturn else { return false }
            cancellation.request(reason, at: now)
            changed.signal()
            return true
        }
    }

    /// Changes the migration while it runs.
    ///
    /// - Returns: whether that still has an effect; false once the guest may be the destination's.
    public func change(_ change: @escaping @Sendable (inout MigrationSettings) -> Void) -> Bool {
        state.withLock { state in
            guard !state.isPastPointOfNoReturn else { return false }
            if state.settings == nil {
                state.earlyChanges.append(change)
            } else if var settings = state.settings {
                change(&settings)
                state.settings = settings
            }
            changed.signal()
            return true
        }
    }

    /// Lets a migration that holds before the switch go on; one that does not hold yet will not.
    ///
    /// - Returns: whether that is still possible; false once the guest may be the destination's.
    public func continueMigration() -> Bool {
        state.withLock { state in
            guard !state.isPastPointOfNoReturn else { return false }
            state.maySwitch = true
            changed.signal()
            return true
        }
    }

    /// The migration begins with these settings, as far as they were not changed already.
    func begin(with settings: MigrationSettings, holds: Bool) {
        state.withLock { state in
            var settings = settings
            for change in state.earlyChanges { change(&settings) }
            state.earlyChanges = []
            state.settings = settings
            if !holds { state.maySwitch = true }
        }
    }

    /// The settings of a migration that has begun.
    var settings: MigrationSettings? { state.withLock { $0.settings } }

    /// Whether the guest may be switched to the destination.
    var maySwitch: Bool { state.withLock { $0.maySwitch } }

    /// The guest, which runs here until the pause, did something to its whole machine. One that has
    /// ended is not moved; one that resets itself goes on its way and starts anew at its end.
    ///
    /// - Returns: whether this ends the migration.
    @discardableResult
    public func guestDid(_ event: GuestEvent, at now: MonotonicInstant = .now) -> Bool {
        event.endsGuest && cancel("\(event)", at: now)
    }

    /// Ends a doubt by a person's word, who has made sure that the guest runs at one end only.
    ///
    /// - Throws: when there is no doubt, or when the guest cannot come back.
    public func resolveDoubt(_ resolution: OperatorResolution) throws(DoubtError) {
        try state.withLock { state -> Result<Void, DoubtError> in
            guard state.isInDoubt else { return .failure(.noDoubt) }
            if resolution == .takeBack, state.runFlag?.isSet == true {
                return .failure(.guestHasRun)
            }
            state.resolution = resolution
            return .success(())
        }.get()
        operatorWord.request("the operator has decided")
    }

    /// Ends the present doubt, or one that comes, whatever it costs: for a simulated process that
    /// was killed and has no effects any more.
    func giveUp() {
        state.withLock { $0.resolution = .giveUp }
        operatorWord.request("the process is dead")
    }

    /// From here on a person may decide.
    ///
    /// - Parameter runFlag: the flag that both ends of a local migration share.
    func beginDoubt(_ runFlag: SharedFlag?) {
        state.withLock {
            $0.isInDoubt = true
            $0.runFlag = runFlag
        }
    }

    /// It is known where the guest is.
    func endDoubt() {
        state.withLock { $0.isInDoubt = false }
    }

    /// A decision that came too late counts no more.
    func forgetResolution() {
        state.withLock { $0.resolution = nil }
    }

    /// Where the migration stands.
    public func progress(at now: MonotonicInstant = .now) -> MigrationProgress {
        board.snapshot(at: now)
    }

    /// What happened so far, and when.
    public func timeline(at now: MonotonicInstant = .now) -> MigrationTimeline {
        board.timeline(at: now)
    }

    /// What a person has decided.
    var resolution: OperatorResolution? { state.withLock { $0.resolution } }

    /// Whether the migration cannot be called off any more.
    var isPastPointOfNoReturn: Bool { state.withLock { $0.isPastPointOfNoReturn } }

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
