import LinuxSystem
private import Synchronization

/// Reads input for the serial port on the event loop, no faster than the guest takes it.
final class SerialInput: Sendable {
    private struct State {
        var watch: EventLoop.Watch?
        var isPaused = false
    }

    /// The most that is read at once; the port keeps twice as much at most.
    private static let pieceSize = SerialState.backlogLimit / 2

    private let source: OwnedDescriptor
    private let loop: EventLoop
    private let state = Mutex(State())

    init(from source: consuming OwnedDescriptor, loop: EventLoop) {
        self.source = source
        self.loop = loop
    }

    /// Begins to read.
    ///
    /// - Parameter receive: takes bytes on the loop's thread and says whether it has room for as
    ///   many again; after `false` nothing is read until `resume`.
    func start(_ receive: @escaping @Sendable ([UInt8]) -> Bool) throws(SystemError) {
        do throws(SystemError) {
            let watch = try loop.watch(source, for: .readable) { [weak self] _ in
                self?.pump(receive)
            }
            state.withLock { $0.watch = watch }
        } catch  where error.errno == .notPermitted {
            // Such a file is always ready and cannot be waited for: no terminal, no pipe.
        }
    }

    /// Goes on after the guest has taken input.
    func resume() {
        state.withLock { state in
            guard state.isPaused, let watch = state.watch else { return }
            state.isPaused = false
            try? loop.change(watch, of: source, to: .readable)
        }
    }

    /// Reads no more.
    func stop() {
        let watch = state.withLock { state in
            defer { state.watch = nil }
            return state.watch
        }
        if let watch { loop.unwatch(watch, of: source) }
    }

    private func pump(_ receive: ([UInt8]) -> Bool) {
        // An error is the end as well: a terminal that this process may not read, for one.
        guard let bytes = try? source.read(maximum: Self.pieceSize), !bytes.isEmpty else {
            stop()
            return
        }
        // Paused first: the guest may take all of it before `receive` returns, and resume then.
        pause()
        if receive(bytes) { resume() }
    }

    private func pause() {
        state.withLock { state in
            guard let watch = state.watch else { return }
            state.isPaused = true
            try? loop.change(watch, of: source, to: [])
        }
    }
}
