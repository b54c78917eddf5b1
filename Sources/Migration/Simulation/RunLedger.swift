import Synchronization

/// Who runs the simulated guest, seen from above: the judge of "exactly one runs".
///
/// Instances of one guest in different simulated processes report here. What breaks a rule is
/// recorded as a sentence and looked at by the test.
public final class RunLedger: Sendable {
    private struct State {
        var running: Set<String> = []
        var everRan: Set<String> = []
        var violations: [String] = []
    }

    private let state = Mutex(State())

    /// An empty ledger.
    public init() {}

    /// What broke a rule so far.
    public var violations: [String] { state.withLock { $0.violations } }

    /// The instances that run now.
    public var running: Set<String> { state.withLock { $0.running } }

    /// The instances that ever ran.
    public var everRan: Set<String> { state.withLock { $0.everRan } }

    /// Notes that an instance starts to run.
    public func starts(_ instance: String) {
        state.withLock {
            if !$0.running.isEmpty {
                let others = $0.running.sorted().joined(separator: ", ")
                $0.violations.append("\(instance) starts while \(others) runs")
            }
            $0.running.insert(instance)
            $0.everRan.insert(instance)
        }
    }

    /// Notes that an instance stands still, or that its process is gone.
    public func stops(_ instance: String) {
        state.withLock { _ = $0.running.remove(instance) }
    }

    /// Notes that another rule was broken.
    public func report(_ violation: String) {
        state.withLock { $0.violations.append(violation) }
    }
}
