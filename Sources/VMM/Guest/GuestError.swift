import ControlAPI
import GuestMemory
import LinuxSystem
import Machine

/// Why a guest could not be built, booted, or changed.
enum GuestError: Error {
    /// The configuration asks for what cannot be.
    case configuration(String)
    /// The machine failed, with the sentence of the layer that knows.
    case machine(String)
    /// An operation on the running machine failed.
    case hardware(HardwareError)

    /// The same as an answer of the API.
    var failure: APIFailure {
        switch self {
        case .configuration(let reason): APIFailure(.badRequest, reason)
        case .machine(let reason): APIFailure(.internalError, reason)
        case .hardware(let error):
            APIFailure(.internalError, "The guest could not \(error.operation.words)", "\(error)")
        }
    }
}

extension GuestError: CustomStringConvertible {
    var description: String { failure.description }
}

extension HardwareError.Operation {
    /// The operation as the words after "could not".
    fileprivate var words: String {
        switch self {
        case .configure: "be built"
        case .stop: "be stopped"
        case .start: "be started"
        case .trackDirtyPages: "have its writes tracked"
        case .saveState: "have its state saved"
        case .loadState: "have its state loaded"
        case .release: "let go of its backends"
        case .reclaim: "take its backends back"
        case .takeOver: "take its backends over"
        }
    }
}
