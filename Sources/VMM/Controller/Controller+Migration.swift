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
        if data.handsMemoryOver, let hardware = slot.hardware, !hardware.configuration.memory.shared
        {
            return reply.fail(
                APIFailure(
                    .badRequest, "vm.send-migration is refused",
                    "The guest's memory is private; local=on needs memory shared=on"))
        }
        let file: TimelineFile?
        do throws(APIFailure) {
            file = try timelineFile(data.timeline, for: .sendMigration)
        } catch {
            return reply.fail(error)
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
            followers = []
            (migrationSettings, timelineFile) = (SettingValue.settings(of: data), file)
            reply.succeed()
        case .failed(let guest, let error):
            keep(guest)
            reply.fail(APIFailure(.internalError, "The migration cannot begin", "\(error)"))
        }
    }

    /// Begins to wait for a guest; the call is answered when it is here or will not come.
    func receive(_ data: ReceiveMigrationData, _ reply: consuming APIReply) {
        let file: TimelineFile?
        do throws(APIFailure) {
            file = try timelineFile(data.timeline, for: .receiveMigration)
        } catch {
            return reply.fail(error)
        }
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
            followers = [.migrationProgress]
            (migrationSettings, timelineFile) = (SettingValue.settings(of: data), file)
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

    /// The file for a timeline, if there shall be one.
    private func timelineFile(
        _ path: String?, for endpoint: Endpoint
    ) throws(APIFailure) -> TimelineFile? {
        guard let path else { return nil }
        do throws(SystemError) {
            return try TimelineFile(path: path)
        } catch {
            throw APIFailure(.badRequest, "\(endpoint.rawValue) is refused", "\(error)")
        }
    }

    /// Changes the running migration at the source.
    func setMigrationOptions(_ data: SetMigrationData) throws(APIFailure) {
        guard let task = slot.outgoing, task.change(data) else { throw switched }
        environment.logger.info(
            "The migration was changed",
            metadata: [
                "downtime_ms": "\(data.downtimeMilliseconds.map(String.init) ?? "-")",
                "timeout_s": "\(data.timeoutSeconds.map(String.init) ?? "-")",
                "bandwidth": "\(data.bandwidth.map(String.init) ?? "-")",
                "throttle_max": "\(data.throttleMaximum.map { String($0) } ?? "-")",
            ])
    }

    /// Lets a migration that holds before the switch go on.
    func continueMigration() throws(APIFailure) {
        guard let task = slot.outgoing, task.continueMigration() else { throw switched }
    }

    private var switched: APIFailure {
        APIFailure(
            .internalError, "The migration can no longer be changed",
            "The source has let go of the guest, which may run at the destination")
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
            followers.insert(.migrationProgress)
            return MigrationProgressReport(task.progress)
        case .receiving(let task):
            return MigrationProgressReport(task.progress)
        default:
            return lastMigration
        }
    }

    /// What happened in the running migration so far, or in the last one.
    var migrationTimeline: MigrationTimelineReport {
        if slot.phase == .sending { followers.insert(.migrationTimeline) }
        return currentTimeline
    }

    /// The same, for somebody who does not wait for the end.
    var currentTimeline: MigrationTimelineReport {
        switch slot {
        case .sending(let task):
            return timeline(of: task, MigrationProgressReport(task.progress))
        case .receiving(let task):
            return timeline(of: task, MigrationProgressReport(task.progress))
        default:
            return lastTimeline
        }
    }

    private func timeline(
        of task: OutgoingTask, _ progress: MigrationProgressReport
    ) -> MigrationTimelineReport {
        MigrationTimelineReport(
            task.timeline, .source, settings: migrationSettings, progress: progress)
    }

    private func timeline(
        of task: IncomingTask, _ progress: MigrationProgressReport
    ) -> MigrationTimelineReport {
        MigrationTimelineReport(
            task.timeline, .destination, settings: migrationSettings, progress: progress)
    }

    /// Keeps how a migration ended, and writes it where that was asked for.
    private func keep(_ report: MigrationProgressReport, _ timeline: MigrationTimelineReport) {
        lastMigration = report
        lastTimeline = timeline
        tally.add(report, at: timeline.end)
        guard let file = timelineFile.take() else { return }
        do throws(SystemError) {
            try file.write(timeline)
        } catch {
            environment.logger.error("The timeline of the migration is lost: \(error)")
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
            letGuestsGoFirst()
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
        keep(report, timeline(of: task, report))
    }

    /// All that this process has to do is to end, which takes a while with much memory: a guest that
    /// has just arrived beside it needs the processors more.
    private func letGuestsGoFirst() {
        do throws(SystemError) {
            try ProcessPriority.yieldToOthers()
        } catch {
            environment.logger.debug(
                "the end of this process takes its share of the host: \(error)")
        }
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
        keep(report, timeline(of: task, report))
    }

    private func keep(_ guest: consuming MovableGuest<KVMGuest>) {
        switch consume guest {
        case .running(let machine): slot = .running(machine)
        case .paused(let machine): slot = .paused(machine)
        }
    }
}
