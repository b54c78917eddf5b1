import Logging
import MigrationProtocol

/// Where an end of a migration writes down its decisions.
public protocol DecisionJournal: Sendable {
    /// Writes a decision down; when this returns, it outlives the process and its host.
    func append(_ record: JournalRecord) throws(JournalError)
}

extension OwnershipJournal: DecisionJournal {}

/// The journal of one migration at one end, if its VMM has one.
struct SessionJournal {
    let journal: (any DecisionJournal)?
    let logger: Logger

    /// Writes down what is about to be done; it must not be done when this fails.
    func announce(
        _ decision: JournalDecision, of token: SessionToken?, _ detail: String
    ) throws(MigrationError) {
        do throws(JournalError) {
            try journal?.append(JournalRecord(decision, of: token, detail))
        } catch {
            throw .journal(error)
        }
    }

    /// Writes down what has been done. If that fails the journal leaves open what became of it, and
    /// the guest is not touched.
    func note(_ decision: JournalDecision, of token: SessionToken?, _ detail: String) {
        do throws(JournalError) {
            try journal?.append(JournalRecord(decision, of: token, detail))
        } catch {
            logger.critical("'\(decision.rawValue)' was not written down: \(error)")
        }
    }
}
