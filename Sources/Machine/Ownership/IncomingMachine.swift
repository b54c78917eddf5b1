/// The owner of a machine that was built for a guest which has not arrived.
///
/// ```
/// IncomingMachine --prepare--> PreparedMachine --takeOver--> VirtualMachine | PausedMachine
/// ```
public struct IncomingMachine<Hardware: GuestHardware>: ~Copyable, Sendable {
    /// The machine itself; it has memory and devices, but no state.
    public let hardware: Hardware

    /// Becomes the owner of a machine fresh from its factory.
    public init(configured: Hardware) {
        hardware = configured
    }

    /// What became of the attempt to load the state.
    public enum PrepareOutcome: ~Copyable, Sendable {
        /// Everything is here; the guest could run.
        case prepared(PreparedMachine<Hardware>)
        /// The state does not fit this machine, which is of no more use.
        case failed(HardwareError)
    }

    /// Loads the state of vCPUs and devices.
    public consuming func prepare(state: [UInt8]) -> PrepareOutcome {
        do {
            try hardware.loadState(state)
        } catch {
            hardware.letGo()
            return .failed(error)
        }
        return .prepared(PreparedMachine(loaded: hardware))
    }

    /// Gives the machine up.
    public consuming func discard() {
        hardware.letGo()
    }
}

/// The owner of a machine that holds a guest's state, but not yet the right to run it.
public struct PreparedMachine<Hardware: GuestHardware>: ~Copyable, Sendable {
    /// The machine itself; none of its vCPUs has run.
    public let hardware: Hardware

    init(loaded: Hardware) {
        hardware = loaded
    }

    /// What became of the takeover.
    public enum TakeOverOutcome: ~Copyable, Sendable {
        /// The guest runs here.
        case running(VirtualMachine<Hardware>)
        /// The guest is here and stands still, as it did at the source.
        case paused(PausedMachine<Hardware>)
        /// Not one guest instruction ran, everything bound was let go: it will not run here.
        case returned(HardwareError)
    }

    /// Takes the backends over and lets the guest run.
    ///
    /// - Parameters:
    ///   - backendState: what the source's release gave.
    ///   - staysPaused: whether the guest was paused at the source and arrives so.
    ///   - willRun: called just before the first guest instruction may run, after everything that
    ///     could still fail; not called for a guest that stays paused.
    public consuming func takeOver(
        backendState: [UInt8], staysPaused: Bool, willRun: () -> Void
    ) -> TakeOverOutcome {
        do {
            try hardware.takeOver(backendState)
            if staysPaused {
                return .paused(PausedMachine(stopped: hardware))
            }
            willRun()
            try hardware.start()
        } catch {
            hardware.letGo()
            return .returned(error)
        }
        return .running(VirtualMachine(started: hardware))
    }

    /// Gives the machine up: the guest stays with its source.
    public consuming func discard() {
        hardware.letGo()
    }
}
