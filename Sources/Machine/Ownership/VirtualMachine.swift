/// The owner of a guest that runs.
///
/// ```
/// VirtualMachine --pause--> PausedMachine --surrender--> SurrenderedMachine
///        ^                       |  ^                          |
///        +-------resume----------+  +----takeBack(reason)------+
/// ```
///
/// Each step consumes the owner before it, so code that resumes a guest which was given away does
/// not compile.
public struct VirtualMachine<Hardware: GuestHardware>: ~Copyable, Sendable {
    /// The machine itself, for calls that neither stop it nor give it away.
    public let hardware: Hardware

    /// Becomes the owner of a machine whose vCPUs were just started.
    ///
    /// - Parameter started: a machine that runs and that nobody else owns.
    public init(started: Hardware) {
        hardware = started
    }

    /// What became of the attempt to pause.
    public enum PauseOutcome: ~Copyable, Sendable {
        /// The guest stands still.
        case paused(PausedMachine<Hardware>)
        /// It could not be stopped and runs on.
        case failed(VirtualMachine<Hardware>, HardwareError)
    }

    /// Stops the vCPUs and drains the devices.
    public consuming func pause() -> PauseOutcome {
        do {
            try hardware.stop()
        } catch {
            return .failed(self, error)
        }
        return .paused(PausedMachine(stopped: hardware))
    }
}

/// The owner of a guest that stands still, with its backends and its right to run.
public struct PausedMachine<Hardware: GuestHardware>: ~Copyable, Sendable {
    /// The machine itself, for calls that neither start it nor give it away.
    public let hardware: Hardware

    /// Becomes the owner of a machine whose vCPUs are stopped.
    public init(stopped: Hardware) {
        hardware = stopped
    }

    /// What became of the attempt to resume.
    public enum ResumeOutcome: ~Copyable, Sendable {
        /// The guest runs.
        case running(VirtualMachine<Hardware>)
        /// It could not be started and stands still.
        case failed(PausedMachine<Hardware>, HardwareError)
    }

    /// Lets the guest run.
    public consuming func resume() -> ResumeOutcome {
        do {
            try hardware.start()
        } catch {
            return .failed(self, error)
        }
        return .running(VirtualMachine(started: hardware))
    }

    /// The state of vCPUs and devices.
    public borrowing func saveState() throws(HardwareError) -> [UInt8] {
        try hardware.saveState()
    }

    /// What became of the attempt to give the guest away.
    public enum SurrenderOutcome: ~Copyable, Sendable {
        /// The backends are let go; their state goes to the destination.
        case surrendered(SurrenderedMachine<Hardware>, backendState: [UInt8])
        /// Something could not be let go; everything is held as before.
        case failed(PausedMachine<Hardware>, HardwareError)
    }

    /// Lets go of everything exclusive, the last step before the point of no return.
    public consuming func surrender() -> SurrenderOutcome {
        do {
            let state = try hardware.release()
            return .surrendered(SurrenderedMachine(released: hardware), backendState: state)
        } catch {
            return .failed(self, error)
        }
    }
}
