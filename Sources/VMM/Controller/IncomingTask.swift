import ControlAPI
import LinuxSystem
import Logging
import Machine
import Migration
import MigrationProtocol
import Synchronization
import Transport
import TransportTLS

/// A guest that is awaited or on its way in: the thread that owns what there is of it, and what
/// may be asked meanwhile.
final class IncomingTask: Sendable {
    /// The call that waits for the guest.
    let reply: PendingReply
    private let control: IncomingControl
    private let listener: HostListener
    private let outcome: Outcome
    private let thread: WorkerThread

    /// Listens and begins to wait.
    ///
    /// - Throws: when nothing can be listened on.
    init(
        _ url: MigrationURL, over network: MigrationNetwork, factory: KVMGuestFactory,
        ledger: OwnershipLedger,
        reply: PendingReply, _ environment: VMMEnvironment
    ) throws {
        let listener = try network.listen(on: url)
        let control = try IncomingControl(ledger: ledger)
        let migration = IncomingMigration(
            factory: factory, network: network, listener: listener, control: control,
            observer: environment.events.report, journal: environment.journal,
            logger: environment.logger)
        let outcome = Outcome()
        self.listener = listener
        self.control = control
        self.outcome = outcome
        self.reply = reply
        thread = try WorkerThread(name: "migrate", kind: .destination) { _ in
            outcome.value.put(migration.run())
            environment.queue.post(.migrationEnded)
        }
    }

    /// Where the migration stands.
    var progress: MigrationProgress { control.progress() }

    /// What happened so far, and when.
    var timeline: MigrationTimeline { control.timeline() }

    /// What was decided here, for the next migration.
    var ledger: OwnershipLedger { control.ledger }

    /// Calls the migration off.
    ///
    /// - Returns: whether that is still possible.
    func cancel(_ reason: String) -> Bool { control.cancel(reason) }

    /// Ends listening: sources in doubt are answered no more.
    func close() { listener.close() }

    /// Where the guest is, once `migrationEnded` was posted; nil before, and when asked again.
    func takeOutcome() -> IncomingOutcome<KVMGuest>? {
        guard let outcome = outcome.value.withLock({ $0.take() }) else { return nil }
        thread.join()
        return outcome
    }

    /// The outcome on its way back.
    private final class Outcome: Sendable {
        let value = Mutex<IncomingOutcome<KVMGuest>?>(nil)
    }
}
