import LinuxSystem

/// A condition that a test waited for in vain.
struct NeverCame: Error, CustomStringConvertible {
    let description: String
}

/// Waits for a condition. The limit is far above what a loaded machine needs; it is reached only
/// when the test fails.
func eventually(
    _ what: @autoclosure () -> String, within seconds: Int = 60, _ condition: () throws -> Bool
) async throws {
    let deadline = MonotonicInstant.after(milliseconds: seconds * 1000)
    while try !condition() {
        if deadline.hasPassed { throw NeverCame(description: "Waited in vain: \(what())") }
        try await Task.sleep(for: .milliseconds(10))
    }
}
