import MigrationProtocol

/// What a source writes down.
extension SourceSession {
    /// Before anything of the migration is done: a journal that cannot be written to shows now.
    func recordOffer() throws(MigrationError) {
        try journal.announce(.offered, of: state.token, "to \(options.destination)")
        isOfferRecorded = true
    }

    /// Before Takeover may leave this process.
    func recordGivingAway() throws(MigrationError) {
        try journal.announce(.givingAway, of: state.token, "\(options.destination)")
    }

    /// The destination has the guest.
    func noteGaveAway() {
        journal.note(.gaveAway, of: state.token, "\(options.destination)")
    }

    /// Nobody knows yet.
    func noteInDoubt(_ reason: String) {
        journal.note(.inDoubt, of: state.token, reason)
    }

    /// The guest ran at a destination which is dead.
    func noteLost(_ reason: EndReason) {
        journal.note(.lost, of: state.token, reason.text)
    }

    /// A person has said where the guest is.
    func noteResolution(_ resolution: OperatorResolution) {
        switch resolution {
        case .takeBack: journal.note(.resolvedToSource, of: state.token, "vm.resolve-migration")
        case .giveUp: journal.note(.resolvedToDestination, of: state.token, "vm.resolve-migration")
        }
    }

    /// The guest is here, after the journal said that it was offered.
    func noteReturn(_ error: MigrationError) {
        guard isOfferRecorded, control.resolution != .takeBack else { return }
        journal.note(.tookBack, of: state.token, error.description)
    }
}
