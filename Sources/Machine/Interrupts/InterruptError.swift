public import LinuxSystem

/// Why an interrupt or a doorbell cannot be set up.
public enum InterruptError: Error, Equatable, Sendable {
    /// All message interrupts that the router may hand out are in use.
    case exhausted(limit: Int)

    /// There is no interrupt line with this number, or it is taken.
    case lineUnavailable(UInt32)

    /// The kernel refused.
    case system(SystemError)
}

extension InterruptError: CustomStringConvertible {
    /// One sentence: the object, what failed, what can be done.
    public var description: String {
        switch self {
        case .exhausted(let limit):
            "All \(limit) message interrupts are in use; give the guest fewer devices or queues"
        case .lineUnavailable(let line):
            "Interrupt line \(line) does not exist or has a device already"
        case .system(let cause):
            cause.description
        }
    }
}
