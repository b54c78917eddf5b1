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
