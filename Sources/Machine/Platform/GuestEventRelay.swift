private import Synchronization

/// Stops the processors when the guest does something to its whole machine, and tells the owner.
///
/// The event stays pending: the guest has left its course, and does not run on in this machine. So it is saved with the guest, told again instead of running on, and not lost when a
/// migration comes in between.
final class GuestEventRelay: Sendable {
    private struct State {
        var processors: [Processor] = []
        var pending: GuestEvent?
    }

    private let handler: @Sendable (GuestEvent) -> Void
    private let state = Mutex(State())

    init(handler: @escaping @Sendable (GuestEvent) -> Void) {
        self.handler = handler
    }

    /// The processors to stop; none to let go of them.
    func connect(_ processors: [Processor]) {
        state.withLock { $0.processors = processors }
    }

    /// What the guest did and nobody has acted on.
    var pending: GuestEvent? { state.withLock { $0.pending } }

    /// From any thread, also one of a processor. Only the first event counts: the others are what
    /// the guest still did on its way to a stop.
    func raise(_ event: GuestEvent) {
        let processors = state.withLock { state -> [Processor]? in
            guard state.pending == nil else { return nil }
            state.pending = event
            return state.processors
        }
        guard let processors else { return }
        for processor in processors { processor.requestPause() }
        handler(event)
    }

    /// Tells the owner again what is pending.
    ///
    /// - Returns: whether anything is.
    func repeatPending() -> Bool {
        guard let pending else { return false }
        handler(pending)
        return true
    }

    /// Sets what is pending, without telling.
    func setPending(_ event: GuestEvent?) {
        state.withLock { $0.pending = event }
    }
}
