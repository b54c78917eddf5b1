import KVM
import LinuxSystem
public import StateCoding
import Synchronization

/// Saving and restoring the platform.
extension Platform {
    /// The components that `save` writes, in their order.
    public static let components = [
        ComponentVersion(name: InterruptChipState.name, version: InterruptChipState.version),
        ComponentVersion(name: ClockState.name, version: ClockState.version),
        ComponentVersion(name: ProcessorsState.name, version: ProcessorsState.version),
        SerialPort.component,
        ComponentVersion(name: GuestEventState.name, version: GuestEventState.version),
        ComponentVersion(name: PlatformEventsState.name, version: PlatformEventsState.version),
    ]

    /// Appends the state of a paused platform whose devices are quiet. Interrupts that were
    /// signalled are delivered first, so that they are in the state.
    public func save(into writer: inout StateWriter) throws(PlatformError) {
        try requirePaused("save the guest")
        do throws(InterruptError) {
            try interrupts.drain()
        } catch {
            throw .interrupt(error)
        }
        do throws(SystemError) {
            // The processors first: reading one can move an interrupt from a chip into it.
            let states = try saveProcessors()
            writer.append(try InterruptChipState(of: kernel))
            writer.append(try ClockState(of: kernel))
            writer.append(states)
        } catch {
            throw .system(error)
        }
        serial.save(into: &writer)
        writer.append(GuestEventState(pending: pendingEvent))
        writer.append(events.registers.saved)
    }

    /// Puts a saved state into a platform that never ran. It writes nothing to the guest's RAM;
    /// what would is left for `loadLate`. After an error the platform is of no more use.
    ///
    /// - Returns: registers which the guest never used and this host does not have, for the log.
    @discardableResult
    public func load(from reader: inout StateReader) throws(PlatformError) -> [UInt32] {
        try requirePaused("load the guest")
        let chips: InterruptChipState
        let clock: ClockState
        let states: ProcessorsState
        let event: GuestEventState
        let told: PlatformEventsState
        do throws(StateError) {
            chips = try reader.read()
            clock = try reader.read()
            states = try reader.read()
            try serial.load(from: &reader)
            event = try reader.read()
            told = try reader.read()
            try checkIdentifiers(of: states, path: reader.path)
        } catch {
            throw .state(error)
        }
        try chips.restore(to: kernel)
        try clock.restore(to: kernel)
        let skipped = try restore(states)
        pendingState.withLock { $0 = states.processors }
        noteArrival(pending: event.pending)
        events.registers.saved = told
        return skipped
    }

    /// Restores what the kernel answers with writes to the guest's RAM: the paravirtual clocks,
    /// steal time, asynchronous page faults. Call it when the guest belongs to this process.
    ///
    /// - Returns: registers which the guest never used and this host does not have, for the log.
    @discardableResult
    public func loadLate() throws(PlatformError) -> [UInt32] {
        let states = pendingState.withLock { pending in
            defer { pending = [] }
            return pending
        }
        var skipped: [UInt32] = []
        for (processor, state) in zip(processors, states) {
            skipped += try processor.loadLate(state, registerLists)
        }
        return skipped
    }

    private var hasPointers: Bool {
        kernel.machine.value(of: .specialRegistersWithPointers) != 0
    }

    private func saveProcessors() throws(SystemError) -> ProcessorsState {
        let savesPointers = hasPointers
        var states: [ProcessorState] = []
        states.reserveCapacity(processors.count)
        for processor in processors {
            states.append(try processor.save(registerLists, savesPointers: savesPointers))
        }
        return ProcessorsState(
            hostBoot: hostBoot, realtime: RealtimeClock.nanoseconds,
            processors: states)
    }

    private func checkIdentifiers(
        of states: ProcessorsState, path: String
    ) throws(StateError) {
        guard states.processors.map(\.identifier) == processors.map(\.identifier) else {
            throw .invalidValue(
                component: "\(path)/\(ProcessorsState.name)",
                reason: "it has \(states.processors.count) processors where this machine has "
                    + "\(processors.count), or their identifiers differ")
        }
    }

    private func restore(_ states: ProcessorsState) throws(PlatformError) -> [UInt32] {
        let takesPointers = hasPointers
        var timestamps = TimestampRestoration(
            isSameHost: states.hostBoot == hostBoot,
            elapsed: elapsed(since: states.realtime))
        var skipped: [UInt32] = []
        for (processor, state) in zip(processors, states.processors) {
            try timestamps.apply(state.timestamp, to: processor)
            skipped += try processor.load(state, registerLists, takesPointers: takesPointers)
        }
        return skipped
    }
}
