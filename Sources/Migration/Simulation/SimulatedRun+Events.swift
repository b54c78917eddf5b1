import Machine
import Synchronization

/// What the simulated guest does to its whole machine, and what the two VMMs do about it: the same
/// as the control thread of a real one.
extension SimulatedRun {
    /// The guest at this end does something, if it runs there.
    func raise(_ event: GuestEvent, at place: SimulatedFault.Place) {
        let guest: SimulatedGuest? = place == .source ? source : state.withLock { $0.arrived }
        let moment = SimulatedFault.Moment.step(world.steps(of: place))
        guard guest?.raise(event) == true else { return }
        state.withLock {
            $0.report.raised.append(
                SimulatedFault(place: place, moment: moment, kind: .guestEvent(event)))
        }
    }

    /// The owner at this end is told: of a guest on its way, or of one whose migration has ended
    /// here, while other threads of the migration go on.
    func note(_ event: GuestEvent, at place: SimulatedFault.Place) {
        let hasEnded = state.withLock { state in
            state.deferred[place] = event
            return (place == .source ? state.report.source : state.report.destination) == .running
        }
        if hasEnded { return carryOutDeferred(at: place, ownsGuest: true) }
        if place == .source { sourceControl.guestDid(event, at: world.time.now) }
    }

    /// The migration has ended here: whoever owns the guest acts on what it did.
    func carryOutDeferred(at place: SimulatedFault.Place, ownsGuest: Bool) {
        state.withLock { state in
            guard state.deferred.removeValue(forKey: place) != nil, ownsGuest else { return }
            state.report.carriedOut.append(place)
        }
    }

    /// What is wrong with how the guest's own doings were dealt with.
    func mishandledEvents(in report: SimulatedMigration.Report) -> [String] {
        guard let raised = report.raised.first, case .guestEvent(let event) = raised.kind else {
            return report.carriedOut.isEmpty ? [] : ["an event was carried out that never was"]
        }
        var found: [String] = []
        if report.carriedOut.count > 1 {
            found.append("\(event), which was carried out at \(report.carriedOut)")
        }
        if report.source == .moved, raised.place == .source, event.endsGuest {
            found.append("\(event), and was moved all the same")
        }
        let owner: SimulatedFault.Place? =
            switch (report.source, report.destination) {
            case (.running, _): world.source.isDead ? nil : .source
            case (_, .running): world.destination.isDead ? nil : .destination
            default: nil
            }
        if let owner, report.carriedOut != [owner] {
            found.append("\(event), the \(owner) has it, and \(report.carriedOut) acted on that")
        }
        return found
    }
}
