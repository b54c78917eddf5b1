internal import Synchronization

/// Reports failures without letting a guest that repeats them flood the log: the first one, the
/// second, the fourth, and so on.
struct FailureReport: ~Copyable, Sendable {
    private let count = Atomic<UInt64>(0)

    /// What to say of a failure that has just come; nil when it is the turn of a later one.
    func text(_ reason: @autoclosure () -> String) -> String? {
        let number = count.wrappingAdd(1, ordering: .relaxed).newValue
        guard number.nonzeroBitCount == 1 else { return nil }
        return reason() + (number > 1 ? " (\(number) failures so far)" : "")
    }

    /// Reports a failure of what is behind a device.
    func tell(_ notifier: DriverNotifier, _ reason: @autoclosure () -> String) {
        if let text = text(reason()) { notifier.tell(.backendFailed(reason: text)) }
    }
}
