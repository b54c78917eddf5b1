/// What a guest does to its whole machine. The processors stop by themselves; what follows is up
/// to whoever is told.
public enum GuestEvent: Hashable, Sendable {
    /// The guest asked to start again.
    case reset

    /// The guest switched itself off.
    case shutdown

    /// The guest cannot go on: a triple fault, or something that KVM cannot do for it.
    case crashed(description: String)

    /// The guest's kernel has panicked without a crash kernel to go on with, and said so by pvpanic.
    case panicked
}

extension GuestEvent {
    /// Whether there is nothing left to run after it: a guest that switched itself off or crashed.
    /// A reset is the beginning of something.
    public var endsGuest: Bool {
        switch self {
        case .reset: false
        case .shutdown, .crashed, .panicked: true
        }
    }
}

extension GuestEvent: CustomStringConvertible {
    /// One sentence without its point, for both ends' logs.
    public var description: String {
        switch self {
        case .reset: "the guest resets itself"
        case .shutdown: "the guest has shut down"
        case .crashed(let reason): "the guest has crashed: \(reason)"
        case .panicked: "the guest's kernel has panicked"
        }
    }
}
