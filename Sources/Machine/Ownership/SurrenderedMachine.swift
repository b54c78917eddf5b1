/// Why a source may have its guest back after it surrendered it. There is no other reason: a
/// missing answer is none.
public enum ReturnReason: Hashable, Sendable {
    /// Takeover was never sent: the destination cannot have started the guest.
    case takeoverNotSent

    /// The destination answered that it never ran the guest and never will.
    case returned(String)

    /// Local migration: the destination's process is dead, and its flag of the first guest
    /// instruction was never set.
    case diedBeforeFirstInstruction

    /// A person or a host agent decided, knowing that the destination must be dead.
    case decidedByOperator
}

/// The owner of a guest that was given away: its backends are released, and it must not run here
/// unless the destination gives it back.
public struct SurrenderedMachine<Hardware: GuestHardware>: ~Copyable, Sendable {
    /// The machine itself, for calls that neither start it nor touch its backends.
    public let hardware: Hardware

    init(released: Hardware) {
        hardware = released
    }

    /// What became of the attempt to take the guest back.
    public enum TakeBackOutcome: ~Copyable, Sendable {
        /// The guest is here again, standing still, with its backends.
        case paused(PausedMachine<Hardware>)
        /// A backend could not be taken back; the guest stays as it is.
        case failed(SurrenderedMachine<Hardware>, HardwareError)
    }

    /// Takes the guest and its backends back.
    ///
    /// - Parameter reason: what proves that the guest runs nowhere else.
    public consuming func takeBack(_ reason: ReturnReason) -> TakeBackOutcome {
        do {
            try hardware.reclaim()
        } catch {
            return .failed(self, error)
        }
        return .paused(PausedMachine(stopped: hardware))
    }

    /// Ends this end's part: the guest runs at the destination.
    public consuming func relinquish() {
        hardware.stopDirtyTracking()
    }
}
