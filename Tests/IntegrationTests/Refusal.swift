import ControlAPI
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
