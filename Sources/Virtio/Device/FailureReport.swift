internal import Synchronization

/// Reports failures behind a device without letting a guest that repeats them flood the log: the
/// first one, the second, the fourth, and so on.
struct FailureReport: ~Copyable, Sendable {
    private let count = Atomic<UInt64>(0)

    /// Reports the failure, unless it is the turn of a later one.
    func tell(_ notifier: DriverNotifier, _ reason: @autoclosure () -> String) {
        let number = count.wrappingAdd(1, ordering: .relaxed).newValue
        guard number.nonzeroBitCount == 1 else { return }
        let suffix = number > 1 ? " (\(number) failures so far)" : ""
        notifier.tell(.backendFailed(reason: reason() + suffix))
    }
}
