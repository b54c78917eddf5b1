import GuestMemory
import LinuxSystem
import Machine
import MigrationProtocol
import Synchronization

/// The rules that hold in every simulated migration, whatever goes wrong.
extension SimulatedRun {
    /// The longest time that the guest may stand still when the migration fails before the point
    /// of no return, in nanoseconds: the default of `blackout_limit_ms`.
    private static let blackoutLimit: UInt64 = 3_000_000_000

    /// The source's guest stands still: what the destination must have is known now.
    func didStop(_ guest: SimulatedGuest) {
        guard guest === source else { return }
        let memory = contents(of: guest.memory)
        state.withLock {
            $0.memoryAtSwitch = memory
            $0.processorAtSwitch = guest.processor
            $0.stoppedAt = world.time.now
        }
    }

    /// A machine is about to run the guest.
    func willStart(_ guest: SimulatedGuest) {
        if guest === source { judgeReturn() } else { judgeArrival(guest) }
    }

    /// At the destination everything is as it was when the source stopped.
    private func judgeArrival(_ guest: SimulatedGuest) {
        let expected = state.withLock { ($0.memoryAtSwitch, $0.processorAtSwitch) }
        // Whoever resets the machine makes its memory anew.
        if guest.pendingEvent != .reset, contents(of: guest.memory) != expected.0 {
            world.ledger.report("the destination starts with other memory")
        }
        if guest.processor != expected.1 {
            world.ledger.report("the destination starts with other processor state")
        }
        if !world.isTakeoverSent {
            world.ledger.report("the destination starts although Takeover was never sent")
        }
    }

    /// The source goes on only when it may, and soon enough.
    private func judgeReturn() {
        let (stoppedAt, didOperatorDecide) = state.withLock {
            ($0.stoppedAt, $0.didOperatorDecide)
        }
        guard let stoppedAt else { return }
        let elapsed = world.time.now.nanoseconds(since: stoppedAt)
        if world.isTakeoverSent {
            let isProvenDead =
                plan.mode == .local && world.destination.isDead
                && !world.ledger.everRan.contains(SimulatedFault.Place.destination.rawValue)
            if !world.isReturnedReceived, !didOperatorDecide, !isProvenDead {
                world.ledger.report("the source goes on after Takeover without an answer")
            }
        } else if elapsed > Self.blackoutLimit {
            world.ledger.report("the guest stood still for \(elapsed / 1_000_000) ms")
        }
    }

    /// Looks at the end of the run.
    func judge() {
        var report = state.withLock { $0.report }
        for place in SimulatedFault.Place.allCases {
            report.steps[place] = world.steps(of: place)
        }
        report.duration = world.time.elapsed
        report.trace = world.time.trace
        report.violations = world.ledger.violations
        report.violations += contradictions(in: report) + mishandledEvents(in: report)
        report.violations += untruths(in: report)
        state.withLock { $0.report = report }
    }

    private func contradictions(in report: SimulatedMigration.Report) -> [String] {
        var found: [String] = []
        let destinationRan = world.ledger.everRan.contains(
            SimulatedFault.Place.destination.rawValue)
        switch report.source {
        case .moved:
            let isThere = report.destination == (plan.isPaused ? .paused : .running)
            if !isThere, !world.destination.isDead {
                found.append("the source says moved, the destination \(report.destination as Any)")
            }
        case .running:
            if plan.isPaused { found.append("a paused guest runs at its source") }
            if destinationRan { found.append("the guest runs at its source and ran elsewhere") }
            if !source.isRunning { found.append("the source says running, and it does not run") }
        case .paused:
            let mayBePaused = plan.isPaused || plan.faults.contains { $0.kind == .hardwareFailure }
            if !mayBePaused { found.append("a running guest was left paused") }
            if destinationRan { found.append("the guest is at its source and ran elsewhere") }
        case .stranded:
            if !plan.faults.contains(where: { $0.kind == .hardwareFailure }) {
                found.append("the guest was stranded without a failure of its backends")
            }
        case .gone:
            // A process that dies between its decision and the first instruction takes a local
            // guest with it: nobody can tell that from a death a moment later.
            let isExplained = state.withLock { $0.didOperatorDecide || $0.didDestinationDecide }
            if !isExplained { found.append("the guest is gone, and nobody has it") }
        case .refused:
            found.append("a source cannot refuse")
        case nil:
            if !world.source.isDead { found.append("the source did not come to an end") }
        }
        if report.destination == nil, !world.destination.isDead {
            found.append("the destination did not come to an end")
        }
        if plan.isPaused, report.destination == .paused, !world.destination.isDead {
            found += pausedDifferences()
        }
        return found
    }

    /// What the journals say or exclude, and is not so.
    private func untruths(in report: SimulatedMigration.Report) -> [String] {
        let source = sourceJournal.decisions
        let destination = destinationJournal.decisions
        let ran = world.ledger.everRan.contains(SimulatedFault.Place.destination.rawValue)
        let wasTakenOver = ran || report.destination == .paused
        var found: [String] = []
        if wasTakenOver, !source.contains(.givingAway) {
            found.append("the guest left, and the source's journal says \(source)")
        }
        if wasTakenOver, !destination.contains(.takingOver) {
            found.append("the guest arrived, and the destination's journal says \(destination)")
        }
        if world.isTakeoverSent, !source.contains(.givingAway) {
            found.append("Takeover was sent, and the source's journal says \(source)")
        }
        if source.contains(.gaveAway), !wasTakenOver, !world.destination.isDead {
            found.append("the journal says that the guest was given away, and nobody has it")
        }
        if wasTakenOver, source.contains(.tookBack) {
            found.append("the journal says that the guest was taken back, and it was elsewhere")
        }
        if wasTakenOver, destination.contains(.refused) {
            found.append("the destination's journal says that it refused a guest that it has")
        }
        return found
    }

    /// A guest that arrives paused never starts, so it is compared at the end.
    private func pausedDifferences() -> [String] {
        guard let arrived = state.withLock({ $0.arrived }),
            contents(of: arrived.memory) == contents(of: source.memory),
            arrived.processor == source.processor
        else { return ["the paused guest arrived different"] }
        return []
    }

    private func contents(of memory: GuestRAM) -> [[UInt8]] {
        memory.regions.map { $0.segment.copiedBytes() }
    }
}
