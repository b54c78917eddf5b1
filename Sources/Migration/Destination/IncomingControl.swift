public import LinuxSystem
public import MigrationProtocol
import Synchronization
import Transport

/// What other threads may ask of a migration that arrives here, and what they share with it.
///
/// The decision whether the guest may run here is a value behind one lock: the migration's thread,
/// a cancel and the inquiry of a source in doubt all go through it, so they cannot contradict
/// each other.
public final class IncomingControl: Sendable {
    /// Ends operations of the migration's thread when the guest stays with the source.
    let cancellation: Cancellation

    let board = ProgressBoard(phase: .listening)

    private struct State {
        var decision: DestinationProtocol
        /// Set when the migration's thread has let go of everything or has taken it for good.
        var isSettled = false
        /// What a cancel or an inquiry wants to be said to the source.
        var farewell: Answer?
    }

    private let state: Mutex<State>

    /// The control of one migration.
    ///
    /// - Parameter ledger: what earlier migrations to this process decided, `ledger` of the last
    ///   control.
    public init(ledger: OwnershipLedger = OwnershipLedger()) throws(SystemError) {
        // Nothing has to be finished here first: an answer may be sent at any time.
        cancellation = try Cancellation(graceNanoseconds: 0)
        state = Mutex(State(decision: DestinationProtocol(ledger: ledger)))
    }

    /// What was decided here, to be kept for the next migration.
    public var ledger: OwnershipLedger { state.withLock { $0.decision.ledger } }

    /// Calls the migration off.
    ///
    /// - Returns: whether that is still possible; false once the guest may be this end's.
    public func cancel(_ reason: String, at now: MonotonicInstant = .now) -> Bool {
        state.withLock { state in
            do throws(ProtocolError) {
                state.farewell = try state.decision.cancel(reason) ?? state.farewell
            } catch {
                return false
            }
            cancellation.request(reason, at: now)
            return true
        }
    }

    /// Where the migration stands.
    public func progress(at now: MonotonicInstant = .now) -> MigrationProgress {
        board.snapshot(at: now)
    }

    /// What happened so far, and when.
    public func timeline(at now: MonotonicInstant = .now) -> MigrationTimeline {
        board.timeline(at: now)
    }

    /// Uses the decision's state; never waits inside.
    func withDecision<Result>(_ body: (inout DestinationProtocol) -> Result) -> Result {
        state.withLock { body(&$0.decision) }
    }

    /// Takes the answer that a cancel left for the source.
    func takeFarewell() -> Answer? {
        state.withLock { $0.farewell.take() }
    }

    /// The migration's thread holds nothing any more that it would have to let go of.
    func settle() {
        state.withLock { $0.isSettled = true }
    }

    /// Whether it does not.
    var isSettled: Bool { state.withLock { $0.isSettled } }

    /// Takes the question of a source in doubt. If it ends the migration, the migration's thread
    /// is woken to let go.
    func inquire(_ token: SessionToken, at now: MonotonicInstant) -> InquiryReaction {
        let reaction = state.withLock { $0.decision.inquiry(token) }
        if case .discardAndAnswer = reaction {
            cancellation.request("the source inquired before it let the guest go", at: now)
        }
        return reaction
    }
}
