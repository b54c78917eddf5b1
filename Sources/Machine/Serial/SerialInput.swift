import LinuxSystem
private import Synchronization

/// Reads input for a serial device on the event loop, no faster than the guest takes it, and not
/// at all while the guest does not run.
final class SerialInput: Sendable {
    private struct State {
        /// There while input is awaited. Without it the loop does not even hear of a hang-up,
        /// which it would otherwise be told of again and again.
        var watch: EventLoop.Watch?
        var isHeld = true
        var hasEnded = false

        var canWatch: Bool { !isHeld && !hasEnded && watch == nil }
    }

    /// The most that is read at once; the device keeps twice as much at most.
    private static let pieceSize = SerialState.backlogLimit / 2

    private let source: SharedDescriptor
    private let loop: EventLoop
    private let receive: @Sendable ([UInt8]) -> Bool
    private let state = Mutex(State())

    /// Input that is held until `release`.
    ///
    /// - Parameter receive: takes bytes on the loop's thread and says whether it has room for as
    ///   many again; after `false` nothing is read until `resume`.
    init(
        from source: SharedDescriptor, loop: EventLoop,
        receive: @escaping @Sendable ([UInt8]) -> Bool
    ) {
        self.source = source
        self.loop = loop
        self.receive = receive
    }

    /// Goes on after the guest has taken input, unless it is held or at its end.
    func resume() {
        guard state.withLock({ $0.canWatch }) else { return }
        // No handler runs meanwhile: one that pauses has let go of its watch a moment before the
        // loop has, and the loop takes one watch for each descriptor.
        loop.perform {
            state.withLock { state in
                guard state.canWatch else { return }
                // A file that cannot be waited for is no terminal and no pipe: it gives nothing.
                state.watch = try? loop.watch(source.descriptor, for: .readable) { [weak self] _ in
                    self?.pump()
                }
                state.hasEnded = state.watch == nil
            }
        }
    }

    /// Lets input through from the next `resume` on.
    func release() {
        state.withLock { $0.isHeld = false }
    }

    /// Reads nothing until `release`. What was read has been received when this returns.
    func hold() {
        state.withLock { $0.isHeld = true }
        // A handler that is at work has taken the watch out already; this waits for it as well.
        loop.perform { pause() }
    }

    /// Reads no more, for good.
    func stop() {
        state.withLock { $0.hasEnded = true }
        loop.perform { pause() }
    }

    private func pump() {
        // Paused first: the guest may take all of it before `receive` returns, and resume then.
        pause()
        // An error is the end as well: a terminal that this process may not read, for one.
        guard let bytes = try? source.descriptor.read(maximum: Self.pieceSize), !bytes.isEmpty
        else {
            stop()
            return
        }
        if receive(bytes) { resume() }
    }

    /// On the loop's turn, which is taken before the lock. A `resume` on another thread must not
    /// come before the old watch is gone from the loop, which would refuse the new one.
    private func pause() {
        state.withLock { state in
            if let watch = state.watch { loop.unwatch(watch, of: source.descriptor) }
            state.watch = nil
        }
    }
}
