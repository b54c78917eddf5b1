import ControlAPI
import LinuxSystem
import Logging
import Machine
import Migration
import MigrationProtocol
import Transport
import TransportTLS

/// Guests that come and go.
extension Controller {
    /// Begins to move the guest away; the call is answered as soon as its thread has the guest.
    func send(_ data: SendMigrationData, _ reply: consuming APIReply) {
        let options: MigrationOptions
        let network: MigrationNetwork
        do throws(TransportError) {
            options = try MigrationOptions(data)
            network = try self.network(.client, data.tlsFolder)
        } catch {
            return reply.fail(APIFailure(.badRequest, "vm.send-migration is refused", "\(error)"))
        }
        if data.local, let hardware = slot.hardware, !hardware.configuration.memory.shared {
            return reply.fail(
                APIFailure(
                    .badRequest, "vm.send-migration is refused",
                    "The guest's memory is private; local=on needs memory shared=on"))
        }
        removeEjectedDevices()
        let guest: MovableGuest<KVMGuest>
        switch takeSlot() {
        case .running(let machine): guest = .running(machine)
        case .paused(let machine): guest = .paused(machine)
        case let other:
            slot = other
            return reply.fail(APIFailure(.notFound, "VM is not running"))
        }
        switch OutgoingTask.start(guest, options, over: network, environment) {
        case .begun(let task):
            slot = .sending(task)
            isFollowed = false
            reply.succeed()
        case .failed(let guest, let error):
            keep(guest)
            reply.fail(APIFailure(.internalError, "The migration cannot begin", "\(error)"))
        }
    }

    /// Begins to wait for a guest; the call is answered when it is here or will not come.
    func receive(_ data: ReceiveMigrationData, _ reply: consuming APIReply) {
        let pending = PendingReply(reply)
        lastReceiver?.close()
        lastReceiver = nil
        do {
            let factory = KVMGuestFactory(
                environment: environment, handler: nextGuestHandler())
            let network = try network(
                .server, data.tlsFolder, letsIn: ClientNames(data.tlsNames))
            let task = try IncomingTask(
                try MigrationURL(parsing: data.receiverURL), over: network, factory: factory,
                ledger: ledger, reply: pending, environment)
            slot = .receiving(task)
            // Whoever called waits for the answer.
            isFollowed = true
        } catch {
            pending.take()?.fail(
                APIFailure(.internalError, "The guest cannot be received", "\(error)"))
        }
    }

    /// The network for one migration: protected when there is a folder with certificates, which
    /// are read now, so that whoever calls hears of their faults.
    private func network(
        _ role: TLSCredentials.Role, _ folder: String?, letsIn clients: ClientNames = .ownAddress
    ) throws(TransportError) -> MigrationNetwork {
        var protection: MigrationNetwork.Protection?
        do throws(TLSError) {
            if let folder {
                protection = MigrationNetwork.Protection(
                    try TLSCredentials(folder: folder, role: role), clients: clients)
            }
        } catch {
            throw .tls(error)
        }
        let logger = environment.logger
        return MigrationNetwork(
            allowsPlainTCP: environment.allowsPlainTCP, protection: protection,
            report: { logger.warning("a connection was given up: \($0)") })
    }

    /// Calls the running migration off, at either end.
    func cancelMigration(_ reply: consuming APIReply) {
        if cancelMigration(because: "vm.cancel-migration was called") {
            reply.succeed()
        } else {
            reply.fail(
                APIFailure(
                    .internalError, "The migration can no longer be cancelled",
                    "The source has let go of the guest, which may run at the destination"))
        }
    }

    /// Calls the running migration off.
    ///
    /// - Returns: whether that is still possible.
    @discardableResult
    func cancelMigration(because reason: String) -> Bool {
        switch slot {
        case .sending(let task): task.cancel(reason)
        case .receiving(let task): task.cancel(reason)
        default: false
        }
    }

    /// Takes a person's word for where the guest of a source in doubt is.
    func resolveMigration(_ data: ResolveMigrationData) throws(APIFailure) {
        do throws(DoubtError) {
            guard let task = slot.outgoing else { throw .noDoubt }
            try task.resolveDoubt(data.owner)
        } catch {
            throw APIFailure(.internalError, "vm.resolve-migration is refused", "\(error)")
        }
        environment.logger.notice(
            "A person says that the guest belongs to the \(data.owner.rawValue.lowercased())")
    }

    /// How far the running migration is, or how the last one ended.
    var migrationProgress: MigrationProgressReport {
        switch slot {
        case .sending(let task):
            isFollowed = true
            return MigrationProgressReport(task.progress)
        case .receiving(let task):
            return MigrationProgressReport(task.progress)
        default:
            return lastMigration
        }
    }

    /// The thread of a migration has ended.
    func migrationEnded() {
        switch takeSlot() {
        case .sending(let task): sendingEnded(task)
        case .receiving(let task): receivingEnded(task)
        case let other: slot = other
        }
        removeEjectedDevices()
        handleDeferredEvent()
        if isEnding { exit(0) }
    }

    private func sendingEnded(_ task: OutgoingTask) {
        guard let outcome = task.takeOutcome() else {
            slot = .sending(task)
            return
        }
        var report = MigrationProgressReport(task.progress)
        switch consume outcome {
        case .moved(let summary):
            report.result = MigrationResult(summary)
            task.hardware.letGo()
            slot = .empty
            environment.logger.info("The guest runs at the destination")
            exitWhenFollowed()
        case .stayed(let guest, let error):
            report.result = MigrationResult(error, report)
            keep(guest)
        case .stranded(let machine, let error):
            report.result = MigrationResult(error, report)
            environment.logger.critical("The guest stands still: \(error)")
            slot = .stranded(machine)
        case .gone(let error):
            report.result = MigrationResult(error, report)
            environment.logger.critical("\(error)")
            task.hardware.letGo()
            slot = .empty
            exitWhenFollowed(1)
        }
        lastMigration = report
    }

    private func receivingEnded(_ task: IncomingTask) {
        guard let outcome = task.takeOutcome() else {
            slot = .receiving(task)
            return
        }
        var report = MigrationProgressReport(task.progress)
        let reply = task.reply.take()
        ledger = task.ledger
        lastReceiver = task
        switch consume outcome {
        case .running(let machine):
            slot = .running(machine)
            report.result = MigrationResult(arrived: report)
            reply?.succeed()
        case .paused(let machine):
            slot = .paused(machine)
            report.result = MigrationResult(arrived: report)
            reply?.succeed()
        case .refused(let error):
            slot = .empty
            report.result = MigrationResult(error, report)
            reply?.fail(
                APIFailure(
                    .internalError, "The guest was not received", "Migration was aborted",
                    "\(error)"))
        }
        lastMigration = report
    }

    private func keep(_ guest: consuming MovableGuest<KVMGuest>) {
        switch consume guest {
        case .running(let machine): slot = .running(machine)
        case .paused(let machine): slot = .paused(machine)
        }
    }
}
