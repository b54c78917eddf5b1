import LinuxSystem
private import Synchronization

/// Collects the bytes that a guest sends and writes them on the event loop, a line at a time where
/// the guest is fast enough.
///
/// A vCPU never waits: what a stuck reader does not take is kept up to a limit, and then the oldest
/// is dropped and counted. The same is done while there is no reader, so that one who comes reads
/// the latest.
final class SerialOutputStream: Sendable {
    /// Bytes that wait for a reader which does not read.
    static let capacity = 64 * 1024

    /// The most that is written at once. A pipe that is ready takes this much without blocking,
    /// which PIPE_BUF (4096) promises; other streams practically do.
    private static let pieceSize = 512

    /// How much is dropped at once, so that a guest which goes on sending does not move the rest
    /// of the buffer for each byte.
    private static let droppedSize = capacity / 8

    /// How long a line without its end may wait for it, and how long until a stuck reader is
    /// looked at again; twice as long each time until the longest.
    private static let patienceMilliseconds: Int = 5
    private static let longestPatienceMilliseconds: Int = 160

    /// How often `write` looks whether it shall end.
    private static let lookMilliseconds: Int = 5

    private struct State {
        var target: SharedDescriptor?
        var waiting: [UInt8] = []
        /// What is being written, taken out of `waiting`.
        var piece: [UInt8] = []
        var dropped: UInt64 = 0
        /// Bytes that readers took, to see whether one takes any.
        var written: UInt64 = 0
        var isStuck = false
        var isSignalled = false
        var patience = patienceMilliseconds
        var watches: [EventLoop.Watch] = []

        /// Appends bytes, no more than the capacity.
        mutating func append(_ bytes: [UInt8]) {
            let excess = waiting.count + bytes.count - capacity
            if excess > 0 {
                let count = min(waiting.count, max(excess, droppedSize))
                waiting.removeFirst(count)
                dropped += UInt64(count)
            }
            waiting += bytes
        }

        mutating func dropAll() {
            dropped += UInt64(waiting.count + piece.count)
            waiting.removeAll()
            piece.removeAll()
        }
    }

    private let loop: EventLoop
    /// Whether there will be another reader when one has gone.
    private let isReplaceable: Bool
    private let readerPatienceMilliseconds: Int
    private let wakeUp: EventDescriptor
    private let timer: TimerDescriptor
    private let state = Mutex(State())

    /// A stream without a reader.
    ///
    /// - Parameters:
    ///   - isReplaceable: whether output that a reader did not take is for the next one.
    ///   - readerPatienceMilliseconds: how long `write` waits for a reader that takes nothing at
    ///     all before it drops output.
    init(
        loop: EventLoop, isReplaceable: Bool, readerPatienceMilliseconds: Int
    ) throws(SystemError) {
        self.loop = loop
        self.isReplaceable = isReplaceable
        self.readerPatienceMilliseconds = readerPatienceMilliseconds
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

    /// Has a reader from now on, or none.
    func connect(_ target: SharedDescriptor?) {
        state.withLock { state in
            state.target = target
            state.isStuck = false
        }
        flush()
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
            state.append([byte])
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
        case .waitForMore: callLater(Self.patienceMilliseconds)
        }
    }

    /// Takes at most `capacity` bytes from the guest, on a thread that may wait for a reader, as
    /// long as it takes something.
    ///
    /// - Parameter isStopped: ends the waiting early.
    func write(_ bytes: [UInt8], isStopped: () -> Bool) {
        waitForRoom(bytes.count, isStopped)
        let wakes = state.withLock { state in
            state.append(bytes)
            defer { state.isSignalled = true }
            return !state.isSignalled
        }
        if wakes { wakeUp.signal() }
    }

    private func waitForRoom(_ count: Int, _ isStopped: () -> Bool) {
        var deadline = MonotonicInstant.after(milliseconds: readerPatienceMilliseconds)
        var progress: UInt64?
        while true {
            let (hasRoom, target, written) = state.withLock { state in
                (
                    state.waiting.count + count <= Self.capacity,
                    state.isStuck ? nil : state.target, state.written
                )
            }
            guard !hasRoom, let target, !isStopped() else { return }
            if progress != written {
                progress = written
                deadline = .after(milliseconds: readerPatienceMilliseconds)
            } else if deadline.hasPassed {
                state.withLock { $0.isStuck = true }
                return
            }
            // In either case the next thing to do is to try to write.
            try? target.descriptor.wait(
                for: .writable, deadline: .after(milliseconds: Self.lookMilliseconds))
            flush()
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
            let (piece, target) = state.withLock { state in
                if state.piece.isEmpty, state.target != nil || !isReplaceable {
                    state.piece = Array(state.waiting.prefix(Self.pieceSize))
                    state.waiting.removeFirst(state.piece.count)
                }
                return (state.piece, state.target)
            }
            guard !piece.isEmpty, let target else { return }
            do throws(SystemError) {
                try target.descriptor.wait(for: .writable, deadline: .now)
                let count = try target.descriptor.write(piece)
                state.withLock { state in
                    state.piece.removeFirst(count)
                    state.written += UInt64(count)
                    state.isStuck = false
                    state.patience = Self.patienceMilliseconds
                }
            } catch  where error.errno == .timedOut || error.errno == .wouldBlock {
                callAgain()
                return
            } catch {
                // The reader is gone for good, or the file full; waiting for it would only fill
                // the buffer.
                state.withLock { state in
                    if isReplaceable { state.target = nil } else { state.dropAll() }
                }
                return
            }
        }
    }

    /// Looks at a stuck reader later, less and less often.
    private func callAgain() {
        let patience = state.withLock { state in
            defer { state.patience = min(2 * state.patience, Self.longestPatienceMilliseconds) }
            return state.patience
        }
        callLater(patience)
    }

    private func callLater(_ milliseconds: Int) {
        // Setting a timer fails for invalid times only; the next line would write all the same.
        try? timer.set(at: .after(milliseconds: milliseconds))
    }
}
