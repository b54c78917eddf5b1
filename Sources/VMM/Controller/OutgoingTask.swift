import ControlAPI
import LinuxSystem
import Logging
import Machine
import Migration
import MigrationProtocol
import Synchronization
import Transport
import TransportTLS

/// A guest on its way out: the thread that owns it, and what may be asked of it meanwhile.
final class OutgoingTask: Sendable {
    /// The guest's machine, for calls that change nothing.
    let hardware: KVMGuest
    /// Whether its owner had paused it.
    private let isPaused: Bool
    private let control: OutgoingControl
    private let transfer: Transfer
    private let thread: WorkerThread

    /// What became of the attempt to begin.
    enum Start: ~Copyable {
        /// The thread has the guest.
        case begun(OutgoingTask)
        /// It could not begin; the guest is here.
        case failed(MovableGuest<KVMGuest>, SystemError)
    }

    /// Moves the guest into a thread of its own and begins.
    static func start(
        _ guest: consuming MovableGuest<KVMGuest>, _ options: MigrationOptions,
        over network: MigrationNetwork, _ environment: VMMEnvironment
    ) -> Start {
        let hardware = guest.hardware
        let isPaused = guest.isPaused
        do throws(SystemError) {
            let transfer = try Transfer()
            let control = try OutgoingControl()
            let migration = OutgoingMigration<KVMGuest, MigrationNetwork>(
                options: options, network: network, control: control,
                observer: environment.events.report, journal: environment.journal,
                logger: environment.logger)
            let thread = try WorkerThread(name: "migrate", kind: .source) { stop in
                transfer.run(migration, unless: stop)
                environment.queue.post(.migrationEnded)
            }
            // Nothing can fail from here on: the guest changes hands only now.
            transfer.hand(over: guest)
            return .begun(
                OutgoingTask(
                    hardware: hardware, isPaused: isPaused, control: control, transfer: transfer,
                    thread: thread))
        } catch {
            return .failed(guest, error)
        }
    }

    private init(
        hardware: KVMGuest, isPaused: Bool, control: OutgoingControl, transfer: Transfer,
        thread: WorkerThread
    ) {
        self.hardware = hardware
        self.isPaused = isPaused
        self.control = control
        self.transfer = transfer
        self.thread = thread
    }

    /// Where the migration stands.
    var progress: MigrationProgress { control.progress() }

    /// What happened so far, and when.
    var timeline: MigrationTimeline { control.timeline() }

    /// Whether the guest stands still until the migration has ended: its owner had paused it, or it
    /// is not known at which end it runs.
    var standsStill: Bool { isPaused || progress.phase == .inDoubt }

    /// Calls the migration off.
    ///
    /// - Returns: whether that is still possible.
    func cancel(_ reason: String) -> Bool { control.cancel(reason) }

    /// Changes the migration.
    ///
    /// - Returns: whether that still has an effect.
    func change(_ data: SetMigrationData) -> Bool {
        control.change { settings in
            settings.downtimeMilliseconds =
                data.downtimeMilliseconds ?? settings.downtimeMilliseconds
            settings.timeoutSeconds = data.timeoutSeconds ?? settings.timeoutSeconds
            settings.throttleMaximum =
                data.throttleMaximum.map(Int.init) ?? settings.throttleMaximum
            if let bandwidth = data.bandwidth {
                settings.bytesPerSecond = bandwidth == 0 ? nil : bandwidth
            }
        }
    }

    /// Lets a migration that holds before the switch go on.
    ///
    /// - Returns: whether that is still possible.
    func continueMigration() -> Bool { control.continueMigration() }

    /// Passes on what the guest did to its whole machine.
    func guestDid(_ event: GuestEvent) { control.guestDid(event) }

    /// Passes on a person's word on where the guest is.
    func resolveDoubt(_ owner: ResolveMigrationData.Owner) throws(DoubtError) {
        switch owner {
        case .source: try control.resolveDoubt(.takeBack)
        case .destination: try control.resolveDoubt(.giveUp)
        }
    }

    /// Where the guest is, once `migrationEnded` was posted; nil before, and when asked again.
    func takeOutcome() -> OutgoingOutcome<KVMGuest>? {
        guard let outcome = transfer.takeOutcome() else { return nil }
        thread.join()
        return outcome
    }

    /// The guest on its way into the thread, and the outcome on its way back.
    private final class Transfer: Sendable {
        private let guest = Mutex<MovableGuest<KVMGuest>?>(nil)
        private let isHandedOver: EventDescriptor
        private let outcome = Mutex<OutgoingOutcome<KVMGuest>?>(nil)

        init() throws(SystemError) {
            isHandedOver = try EventDescriptor(name: "guest to be moved")
        }

        /// Gives the guest to the thread, which waits for it.
        func hand(over guest: consuming MovableGuest<KVMGuest>) {
            self.guest.put(guest)
            isHandedOver.signal()
        }

        /// Waits for the guest and moves it, unless the task is given up before it has one.
        func run(
            _ migration: OutgoingMigration<KVMGuest, MigrationNetwork>,
            unless stop: borrowing EventDescriptor
        ) {
            let waited = try? isHandedOver.descriptor.wait(
                forAny: .readable, unless: stop, deadline: .distantFuture)
            guard waited != nil, let guest = guest.withLock({ $0.take() }) else { return }
            let result = migration.run(guest)
            outcome.put(result)
        }

        func takeOutcome() -> OutgoingOutcome<KVMGuest>? {
            outcome.withLock { $0.take() }
        }
    }
}

extension MovableGuest where Hardware == KVMGuest {
    /// Whether its owner has paused it.
    var isPaused: Bool {
        switch self {
        case .running: false
        case .paused: true
        }
    }

    /// The guest's machine.
    var hardware: KVMGuest {
        switch self {
        case .running(let machine): machine.hardware
        case .paused(let machine): machine.hardware
        }
    }
}
