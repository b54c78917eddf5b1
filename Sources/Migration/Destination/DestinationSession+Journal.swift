import MigrationProtocol
import Transport

/// What a destination writes down.
extension DestinationSession {
    /// Before the machine is built: a journal that cannot be written to shows while the guest runs at
    /// its source.
    func recordReceiving() throws(MigrationError) {
        try journal.announce(.receiving, of: token, "from \(channel.connection.peer)")
        isReceivingRecorded = true
    }

    /// Before anything of the guest may run here.
    func recordTakingOver() throws(MigrationError) {
        try journal.announce(.takingOver, of: token, "from \(channel.connection.peer)")
    }

    /// The guest is here.
    func noteTookOver() {
        journal.note(.tookOver, of: token, "from \(channel.connection.peer)")
    }

    /// The guest never runs here.
    func noteRefusal(_ error: MigrationError) {
        guard isReceivingRecorded else { return }
        journal.note(.refused, of: token, error.description)
    }

    private var token: SessionToken? { control.withDecision { $0.token } }
}
