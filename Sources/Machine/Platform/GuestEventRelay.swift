private import Synchronization

/// Stops the processors when the guest does something to its whole machine, and tells the owner
/// once.
final class GuestEventRelay: Sendable {
    private struct State {
        var processors: [Processor] = []
        var isRaised = false
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

    /// From any thread, also one of a processor. Only the first event until `rearm` counts: the
    /// others are what the guest still did on its way to a stop.
    func raise(_ event: GuestEvent) {
        let processors = state.withLock { state -> [Processor]? in
            guard !state.isRaised else { return nil }
            state.isRaised = true
            return state.processors
        }
        guard let processors else { return }
        for processor in processors { processor.requestPause() }
        handler(event)
    }

    /// Lets the next event through.
    func rearm() {
        state.withLock { $0.isRaised = false }
    }
}
