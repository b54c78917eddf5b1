import GuestMemory
import LinuxSystem
import Machine
import MigrationProtocol
import Transport

/// What became of the attempt to hand a paused guest over.
enum HandOver<Hardware: GuestHardware>: ~Copyable {
    /// It is the destination's.
    case moved(MigrationSummary)
    /// It is here, standing still, with its backends.
    case kept(PausedMachine<Hardware>, MigrationError)
    /// It is here, without all of its backends.
    case stranded(SurrenderedMachine<Hardware>, MigrationError)
    /// It is nowhere, or where a person said.
    case gone(MigrationError)
}

extension OutgoingMigration {
    /// The second half of a migration: the guest stands still.
    func handOver(
        _ machine: consuming PausedMachine<Hardware>, staysPaused: Bool,
        _ session: SourceSession<Outside>, _ dirty: inout PageSet
    ) -> HandOver<Hardware> {
        let state: [UInt8]
        do throws(MigrationError) {
            state = try session.finishMemory(machine, staysPaused: staysPaused, &dirty)
            if session.state.releaseMoment == .afterReady { try session.sendState(state) }
        } catch {
            return .kept(machine, error)
        }
        switch machine.surrender() {
        case .failed(let machine, let error):
            return .kept(machine, .hardware(error))
        case .surrendered(let machine, let backendState):
            session.clock.end(.release, at: session.network.now)
            do throws(MigrationError) {
                if session.state.releaseMoment == .beforeState { try session.sendState(state) }
                try session.recordGivingAway()
                try session.closeCancellation()
            } catch {
                return takeBack(machine, .takeoverNotSent, error, session)
            }
            return giveAway(machine, backendState, staysPaused: staysPaused, session)
        }
    }

    /// The point of no return.
    ///
    /// Once Takeover may have left this process, the guest is the destination's unless the
    /// destination itself, the death of its process before the first instruction, or a person
    /// says otherwise. Therefore nothing here throws: every way out goes through the protocol's
    /// verdict.
    private func giveAway(
        _ machine: consuming SurrenderedMachine<Hardware>, _ backendState: [UInt8],
        staysPaused: Bool, _ session: SourceSession<Outside>
    ) -> HandOver<Hardware> {
        var action = session.sendTakeover(backendState, staysPaused: staysPaused)
        defer { session.control.endDoubt() }
        while true {
            switch action {
            case .end where session.isGivenUp:
                machine.relinquish()
                return .gone(.givenUpByOperator)
            case .end:
                session.clock.end(.takeover, at: session.network.now)
                machine.relinquish()
                session.noteGaveAway()
                return .moved(session.succeed())
            case .recover(let reason, _):
                return takeBack(
                    machine, session.returnReason(reason), .endedByPeer(reason), session)
            case .guestLost(let reason):
                machine.relinquish()
                session.noteLost(reason)
                return .gone(.guestLost(reason))
            case .inquire, .awaitOperator, .goOn, .release, .reconnectWithoutExtensions:
                action = session.resolveDoubt(action)
            }
        }
    }

    /// Takes the backends of a guest back that runs nowhere else.
    private func takeBack(
        _ machine: consuming SurrenderedMachine<Hardware>, _ reason: ReturnReason,
        _ error: MigrationError, _ session: SourceSession<Outside>
    ) -> HandOver<Hardware> {
        var surrendered = machine
        var attempt = 1
        while true {
            switch surrendered.takeBack(reason) {
            case .paused(let machine):
                return .kept(machine, error)
            case .failed(let machine, let cause):
                guard attempt < reclaimAttempts else {
                    return .stranded(
                        machine, .backendsNotTakenBack(cause, after: error.description))
                }
                surrendered = machine
                attempt += 1
                session.waitBeforeReclaiming()
            }
        }
    }
}

/// How often backends are tried to be taken back: the destination may need a moment to let go.
private let reclaimAttempts = 10
