import LinuxSystem
private import Synchronization

/// Collects the bytes that a guest sends and writes them on the event loop, a line at a time where
/// the guest is fast enough.
///
/// The vCPU never waits: what a stuck reader does not take is kept up to a limit and then dropped
/// and counted.
final class SerialOutputStream: Sendable {
    /// Bytes that wait for a reader which does not read.
    static let capacity = 64 * 1024

    /// The most that is written at once. A pipe that is ready takes this much without blocking,
    /// which PIPE_BUF (4096) promises; other streams practically do.
    private static let pieceSize = 512

    /// How long a line without its end may wait for it, and how long until a stuck reader is
    /// looked at again.
    private static let patienceMilliseconds = 5

    private struct State {
        var waiting: [UInt8] = []
        var dropped: UInt64 = 0
        var isSignalled = false
        var watches: [EventLoop.Watch] = []
    }

    private let target: OwnedDescriptor
    private let loop: EventLoop
    private let wakeUp: EventDescriptor
    private let timer: TimerDescriptor
    private let state = Mutex(State())

    init(to target: consuming OwnedDescriptor, loop: EventLoop) throws(SystemError) {
        self.target = target
        self.loop = loop
        wakeUp = try EventDescriptor(name: "serial output")
        timer = try TimerDescriptor(name: "serial output")
    }

    /// Begins to write; `stop` ends it.
    func start() throws(SystemError) {
        let byEvent = try loop.watch(wakeUp.descriptor, for: .readable) { [weak self] _ in
            self?.pump()
        }
        state.withLock { $0.watches.append(byEvent) }
        let byTimer = try loop.watch(timer.descriptor, for: .readable) { [weak self] _ in
            self?.pump()
        }
        state.withLock { $0.watches.append(byTimer) }
    }

    /// Writes what can be written without waiting and ends.
    func stop() {
        let watches = state.withLock { state in
            defer { state.watches = [] }
            return state.watches
        }
        if let byEvent = watches.first { loop.unwatch(byEvent, of: wakeUp.descriptor) }
        if watches.count > 1 { loop.unwatch(watches[1], of: timer.descriptor) }
        flush()
    }

    /// The number of bytes that were dropped because nobody read them.
    var droppedBytes: UInt64 { state.withLock { $0.dropped } }

    /// Takes a byte from the guest, from any thread.
    func append(_ byte: UInt8) {
        enum Next { case nothing, write, waitForMore }
        let next = state.withLock { state -> Next in
            guard state.waiting.count < Self.capacity else {
                state.dropped += 1
                return .nothing
            }
            state.waiting.append(byte)
            if state.isSignalled { return .nothing }
            if byte == UInt8(ascii: "\n") || state.waiting.count >= Self.pieceSize {
                state.isSignalled = true
                return .write
            }
            return state.waiting.count == 1 ? .waitForMore : .nothing
        }
        switch next {
        case .nothing: break
        case .write: wakeUp.signal()
        case .waitForMore: callLater()
        }
    }

    /// Writes what can be written without waiting.
    func flush() {
        loop.perform { pump() }
    }

    /// Runs while no handler of the loop does, so that no two of it interleave.
    private func pump() {
        wakeUp.drain()
        timer.drain()
        state.withLock { $0.isSignalled = false }
        while true {
            let piece = state.withLock { Array($0.waiting.prefix(Self.pieceSize)) }
            guard !piece.isEmpty else { return }
            do throws(SystemError) {
                try target.wait(for: .writable, deadline: .now)
                try target.writeAll(piece)
            } catch  where error.errno == .timedOut {
                callLater()
                return
            } catch {
                // The reader is gone for good, or the file full; waiting for it would only fill the buffer.
                state.withLock { state in
                    state.dropped += UInt64(state.waiting.count)
                    state.waiting.removeAll()
                }
                return
            }
            state.withLock { $0.waiting.removeFirst(piece.count) }
        }
    }

    private func callLater() {
        // Setting a timer fails for invalid times only; the next line would write all the same.
        try? timer.set(at: .after(milliseconds: Self.patienceMilliseconds))
    }
}
