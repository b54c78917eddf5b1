import ControlAPI
import Harness
import LinuxSystem
import Testing

/// Expects that a call is refused with a status.
///
/// - Returns: the reasons in one line, empty when there was another outcome.
@discardableResult
func refusal(
    _ status: Int, sourceLocation: SourceLocation = #_sourceLocation,
    of call: () throws(APIClientError) -> Void
) -> String {
    do throws(APIClientError) {
        try call()
        Issue.record("The call was not refused", sourceLocation: sourceLocation)
    } catch {
        if case .refused(status, let reasons) = error { return reasons.joined(separator: ": ") }
        Issue.record("Expected status \(status), not \(error)", sourceLocation: sourceLocation)
    }
    return ""
}

/// Expects that a command fails by itself and says why in one line.
func expectFailure(
    _ run: CommandRun, naming names: String..., sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(run.status == .exited(1), sourceLocation: sourceLocation)
    let lines = run.errors.split(separator: "\n")
    #expect(lines.count == 1, "\(run.errors)", sourceLocation: sourceLocation)
    for name in names {
        #expect(run.errors.contains(name), "\(run.errors)", sourceLocation: sourceLocation)
    }
}
