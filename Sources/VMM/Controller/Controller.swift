import ControlAPI
import LinuxSystem
import Logging
import Machine
import Migration
import MigrationProtocol

/// Owns the guest of this VMM and carries out, one after the other, what it is asked to do.
///
/// It lives on the control thread and is used by no other. Whatever takes long (a migration) runs
/// on a thread of its own, to which the guest is moved and from which it comes back.
final class Controller {
    let environment: VMMEnvironment
    var slot: GuestSlot = .empty
    /// Progress and end of the migration before the running one.
    var lastMigration: MigrationProgressReport = .none
    /// What happened in the migration before the running one.
    var lastTimeline: MigrationTimelineReport = .none
    /// What all migrations so far came to.
    var tally = MigrationTally()
    /// What the running migration was asked for.
    var migrationSettings: [String: SettingValue] = [:]
    /// Where the timeline of the running migration is to go, if anywhere.
    var timelineFile: TimelineFile?
    /// Counts guests that were started, so that an event of one that is gone is not taken for one
    /// of the present.
    private var generation: UInt64 = 0
    private var exitStatus: Int32?
    /// What a guest did to its whole machine while it was on its way.
    private var deferredEvent: GuestEvent?
    /// When to end although nobody has read how the migration ended.
    private var exitDeadline: MonotonicInstant?
    /// The status with which it ends then.
    private var deferredStatus: Int32 = 0
    /// By which calls somebody watches the running migration, and wants to read how it ended.
    var followers: Set<Endpoint> = []
    /// Whether the process ends as soon as the running migration has.
    var isEnding = false
    /// What was decided about guests that were received here.
    var ledger = OwnershipLedger()
    /// The last reception, which answers sources in doubt until the next begins.
    var lastReceiver: IncomingTask?

    /// How long a source stays after its guest has left, in milliseconds, so that whoever watched
    /// the migration can read how it ended.
    private static let followerPatience = 1000

    init(_ environment: VMMEnvironment) {
        self.environment = environment
    }

    /// Works until the process shall end.
    ///
    /// - Parameter first: a guest to create and boot before anything else.
    /// - Returns: the exit status of the process.
    func run(first: VmConfig?) -> Int32 {
        if let first {
            do throws(GuestError) {
                try boot(first)
            } catch {
                environment.logger.error("\(error)")
                return 1
            }
        }
        while exitStatus == nil {
            do throws(SystemError) {
                let messages = try environment.queue.take(deadline: exitDeadline)
                if messages.isEmpty { exit(deferredStatus) }
                for message in messages where exitStatus == nil { handle(message) }
            } catch {
                environment.logger.critical("The control thread cannot wait: \(error)")
                exitStatus = 1
            }
        }
        discardGuest()
        lastReceiver?.close()
        return exitStatus ?? 0
    }

    /// Ends the process once the present message is handled.
    func exit(_ status: Int32) {
        exitStatus = exitStatus ?? status
    }

    /// Ends the process after a migration, once whoever watched knows how that ended.
    func exitWhenFollowed(_ status: Int32 = 0) {
        if !followers.isEmpty, !isEnding {
            exitDeadline = .after(milliseconds: Self.followerPatience)
            deferredStatus = status
        } else {
            exit(status)
        }
    }

    /// Somebody was told how the migration ended, if it has; the process ends with the last one.
    private func endWasRead(by endpoint: Endpoint) {
        guard exitDeadline != nil else { return }
        followers.remove(endpoint)
        if followers.isEmpty { exit(deferredStatus) }
    }

    private func handle(_ message: ControlMessage) {
        switch message {
        case .call(let call, let pending):
            guard let reply = pending.take() else { return }
            if let refusal = slot.phase.refusal(of: call.endpoint) {
                reply.fail(refusal)
            } else {
                carryOut(call, reply)
            }
        case .guest(let notice, let generation):
            guard generation == self.generation else { return }
            switch notice {
            case .event(let event): handle(event)
            case .ejected: removeEjectedDevices()
            }
        case .migrationEnded:
            migrationEnded()
        case .terminate(let signal):
            environment.logger.info("Ending: signal \(signal)")
            terminate()
        }
    }

    private func carryOut(_ call: APICall, _ reply: consuming APIReply) {
        switch call {
        case .ping: reply.succeed(with: environment.ping)
        case .shutdownVMM:
            environment.events.record(.vmmShutdown)
            reply.succeedAndEnd()
            exit(0)
        case .create(let config): create(config, reply)
        case .boot: finish(reply) { () throws(GuestError) in try bootCreated() }
        case .pause: finish(reply) { () throws(GuestError) in try pause() }
        case .resume: finish(reply) { () throws(GuestError) in try resume() }
        case .info: info(reply)
        case .counters: reply.succeed(with: slot.hardware?.counters ?? [:])
        case .shutdown: finish(reply) { () throws(GuestError) in shutDown() }
        case .delete:
            finish(reply) { () throws(GuestError) in
                discardGuest()
                environment.events.record(.deleted)
            }
        case .reboot: finish(reply) { () throws(GuestError) in try reboot() }
        case .addDisk(let disk): add(.disk(disk), reply)
        case .addNet(let net): add(.net(net), reply)
        case .removeDevice(let data):
            finishChange(reply) { () throws(APIFailure) in try removeDevice(data.id) }
        case .resizeDisk(let data):
            finishChange(reply) { () throws(APIFailure) in try resizeDisk(data) }
        case .powerButton: finish(reply) { () throws(GuestError) in pressPowerButton() }
        case .nmi: finish(reply) { () throws(GuestError) in try injectNMI() }
        case .sendMigration(let data): send(data, reply)
        case .receiveMigration(let data): receive(data, reply)
        case .migrationProgress:
            reply.succeed(with: migrationProgress)
            endWasRead(by: .migrationProgress)
        case .metrics: reply.succeed(with: metrics)
        case .migrationTimeline:
            reply.succeed(with: migrationTimeline)
            endWasRead(by: .migrationTimeline)
        case .setMigrationOptions(let data):
            finishChange(reply) { () throws(APIFailure) in try setMigrationOptions(data) }
        case .continueMigration:
            finishChange(reply) { () throws(APIFailure) in try continueMigration() }
        case .cancelMigration: cancelMigration(reply)
        case .resolveMigration(let data):
            finishChange(reply) { () throws(APIFailure) in try resolveMigration(data) }
        }
    }

    /// Completes a call whose work is done when `body` returns.
    private func finish(
        _ reply: consuming APIReply, _ body: () throws(GuestError) -> Void
    ) {
        do throws(GuestError) {
            try body()
            reply.succeed()
        } catch {
            environment.logger.warning("\(error)")
            reply.fail(error.failure)
        }
    }
}

// MARK: - Life of a guest

extension Controller {
    private func create(_ config: VmConfig, _ reply: consuming APIReply) {
        var config = config
        config.nameDevices()
        slot = .created(config)
        reply.succeed()
    }

    private func info(_ reply: consuming APIReply) {
        guard let config = slot.configuration else {
            return reply.fail(APIFailure(.internalError, "The guest is being received"))
        }
        reply.succeed(
            with: VmInfo(
                config: config, state: slot.state, memoryActualSize: config.memory.size,
                deviceTree: slot.hardware?.deviceTree))
    }

    private func bootCreated() throws(GuestError) {
        guard let config = slot.configuration else { return }
        try boot(config)
    }

    /// Starts a guest from its kernel. When it fails, the configuration stays.
    private func boot(_ config: VmConfig) throws(GuestError) {
        slot = .created(config)
        environment.events.record(.booting)
        let guest = try KVMGuest(booting: config, environment, handler: nextGuestHandler())
        do throws(HardwareError) {
            try guest.start()
        } catch {
            guest.letGo()
            throw .hardware(error)
        }
        slot = .running(VirtualMachine(started: guest))
        environment.events.record(.booted)
    }

    private func pause() throws(GuestError) {
        guard case .running(let machine) = takeSlot() else { return }
        environment.events.record(.pausing)
        switch machine.pause() {
        case .paused(let machine):
            slot = .paused(machine)
            environment.events.record(.paused)
        case .failed(let machine, let error):
            slot = .running(machine)
            throw .hardware(error)
        }
    }

    private func resume() throws(GuestError) {
        try takeBackStranded()
        guard case .paused(let machine) = takeSlot() else { return }
        environment.events.record(.resuming)
        switch machine.resume() {
        case .running(let machine):
            slot = .running(machine)
            environment.events.record(.resumed)
        case .failed(let machine, let error):
            slot = .paused(machine)
            throw .hardware(error)
        }
    }

    /// Tries once more to take back what a failed migration could not.
    private func takeBackStranded() throws(GuestError) {
        guard slot.phase == .stranded, case .stranded(let machine) = takeSlot() else { return }
        switch machine.takeBack(.takeoverNotSent) {
        case .paused(let machine): slot = .paused(machine)
        case .failed(let machine, let error):
            slot = .stranded(machine)
            throw .hardware(error)
        }
    }

    /// Switches the guest off; its configuration stays.
    private func shutDown() {
        guard let config = slot.configurationAtReset else { return }
        discardGuest()
        slot = .created(config)
        environment.events.record(.shutdown)
    }

    private func reboot() throws(GuestError) {
        guard let config = slot.configurationAtReset else { return }
        environment.events.record(.rebooting)
        discardGuest()
        try boot(config)
        environment.events.record(.rebooted)
    }

    /// A guest that is on its way belongs to the thread of its migration: what it did to itself is
    /// dealt with when it is known where the guest is. If it left, the event went with its state.
    private func handle(_ event: GuestEvent) {
        switch slot.phase {
        case .sending:
            deferredEvent = event
            environment.logger.info("While it is being moved: \(event)")
            slot.outgoing?.guestDid(event)
        case .receiving:
            deferredEvent = event
        case .empty, .created, .running, .paused, .stranded:
            followers = []
            carryOutIfHere(event)
        }
    }

    /// Deals with what a guest did while it was on its way, if it is here now. If that ends the
    /// process, whoever watched the migration can still read how it ended.
    func handleDeferredEvent() {
        if let event = deferredEvent.take() { carryOutIfHere(event) }
    }

    private func carryOutIfHere(_ event: GuestEvent) {
        switch slot.phase {
        case .running, .paused, .stranded: carryOut(event)
        case .empty, .created, .sending, .receiving: break
        }
    }

    private func carryOut(_ event: GuestEvent) {
        switch event {
        case .shutdown:
            environment.logger.info("The guest has shut down")
            shutDown()
            exitWhenFollowed(0)
        case .reset:
            environment.logger.info("The guest resets itself")
            do throws(GuestError) {
                try reboot()
            } catch {
                environment.logger.error("The guest cannot be started again: \(error)")
                exitWhenFollowed(1)
            }
        case .crashed(let reason):
            environment.logger.error("The guest has crashed: \(reason)")
            environment.events.record(.crashed(reason))
            discardGuest()
            exitWhenFollowed(1)
        case .panicked:
            environment.logger.error("The guest's kernel has panicked")
            environment.events.record(.panicked)
            discardGuest()
            exitWhenFollowed(1)
        }
    }

    /// Ends the process, after a running migration has ended: a guest that is being given away
    /// must not be lost half-way. A second request ends it at once.
    private func terminate() {
        guard !isEnding, slot.phase == .sending || slot.phase == .receiving else { return exit(0) }
        isEnding = true
        cancelMigration(because: "the VMM is asked to end")
    }

    /// Ends the guest, if there is one, and everything it holds.
    func discardGuest() {
        switch takeSlot() {
        case .running(let machine):
            try? machine.hardware.stop()
            machine.hardware.letGo()
        case .paused(let machine): machine.hardware.letGo()
        case .stranded(let machine): machine.hardware.letGo()
        default: break
        }
    }

    /// Takes the slot's value out and leaves it empty.
    func takeSlot() -> GuestSlot {
        var taken = GuestSlot.empty
        swap(&taken, &slot)
        return taken
    }

    /// What the next guest to be started reports its events to.
    func nextGuestHandler() -> GuestNoticeHandler {
        generation += 1
        let generation = generation
        let queue = environment.queue
        return { notice in queue.post(.guest(notice, generation: generation)) }
    }
}
