public import LinuxSystem
private import Synchronization

/// What leads from a serial device of a guest to the world, in both directions.
///
/// It goes through the steps of every backend: `bind` opens what any number of processes may have
/// open, `takeOver` takes what only one can have - the path of a socket -, `release` and `reclaim`
/// let go of that and take it back. Input passes only between `resume` and `quiesce`.
public final class SerialLine: Sendable {
    /// The device's end, which may be called on the loop's thread.
    public struct Receiver: Sendable {
        let receive: @Sendable ([UInt8]) -> Bool
        let hasRoom: @Sendable () -> Bool

        /// A receiver.
        ///
        /// - Parameters:
        ///   - receive: takes bytes and says whether it has room for as many again.
        ///   - hasRoom: says whether it has room for as many bytes as are read at once; the device
        ///     calls `continueInput` when it has room again.
        public init(
            receive: @escaping @Sendable ([UInt8]) -> Bool, hasRoom: @escaping @Sendable () -> Bool
        ) {
            self.receive = receive
            self.hasRoom = hasRoom
        }
    }

    /// How long bulk output waits for a reader that takes nothing, in milliseconds: Linux's driver
    /// waits with it, with interrupts off.
    public static let usualReaderPatience = 100

    /// The most input that a device has to keep which gives its room truthfully.
    public static let backlogLimit = SerialState.backlogLimit

    private struct State {
        var output: SerialOutputStream?
        var input: SerialInput?
        var listener: ListeningSocket?
        var terminal: Terminal?
        var isRunning = false
    }

    private let target: SerialOutput
    private let takesInput: Bool
    private let loop: EventLoop
    private let receiver: Receiver
    private let readerPatience: Int
    private let state = Mutex(State())

    /// A line that leads nowhere until it is bound.
    ///
    /// - Parameters:
    ///   - takesInput: false where another device takes it.
    ///   - loop: where output is written and input awaited.
    ///   - readerPatience: how long bulk output waits for a reader that takes nothing, in
    ///     milliseconds.
    public init(
        to target: SerialOutput, takesInput: Bool = true, loop: EventLoop, receiver: Receiver,
        readerPatience: Int = usualReaderPatience
    ) {
        self.target = target
        self.takesInput = takesInput
        self.loop = loop
        self.receiver = receiver
        self.readerPatience = readerPatience
    }

    /// Where the users of the line's own terminal find it; nil without one.
    public var terminalPath: String? { state.withLock { $0.terminal?.device.path } }

    /// The number of bytes dropped because nobody read them.
    public var droppedBytes: UInt64 { state.withLock { $0.output }?.droppedBytes ?? 0 }

    /// Opens what any number of processes may have open.
    public func bind() throws(SystemError) {
        switch target {
        case .null:
            break
        case .standardStreams:
            try attach(output: StandardStream.output.duplicate())
            if takesInput { attach(input: try StandardStream.input.duplicate()) }
        case .file(let path):
            try attach(output: OwnedDescriptor(opening: path, [.write, .create, .append]))
        case .socket:
            try attachOutput(nil)
        case .terminal:
            let terminal = Terminal(try PseudoTerminal())
            state.withLock { $0.terminal = terminal }
            try attach(output: terminal.device.controller.duplicate())
            if takesInput { attach(input: try terminal.device.controller.duplicate()) }
        }
    }

    /// Takes what only one process can have: listens, where the line is a socket.
    public func takeOver() throws(SystemError) {
        guard case .socket(let path) = target else { return }
        let listener = ListeningSocket(try StreamListener(path: path))
        // Edge-triggered: a connection that cannot be accepted must not keep the loop busy.
        let watch = try loop.watch(
            listener.socket.descriptor, for: .readable, edgeTriggered: true
        ) { [weak self] _ in self?.acceptReaders() }
        listener.watch.withLock { $0 = watch }
        state.withLock { $0.listener = listener }
        // Who connected before the watch was there is not reported by it.
        loop.perform { acceptReaders() }
    }

    /// Lets go of what only one process can have. Who is connected is disconnected, and finds the
    /// guest's new process at the same path.
    public func release() {
        guard case .socket = target else { return }
        loop.perform {
            let (listener, input, output) = state.withLock { state in
                defer { (state.listener, state.input) = (nil, nil) }
                return (state.listener, state.input, state.output)
            }
            input?.stop()
            output?.connect(nil)
            if let listener, let watch = listener.watch.withLock({ $0 }) {
                loop.unwatch(watch, of: listener.socket.descriptor)
            }
        }
    }

    /// Takes back what `release` let go.
    public func reclaim() throws(SystemError) {
        guard state.withLock({ $0.listener == nil }) else { return }
        try takeOver()
    }

    /// Lets go of everything, after writing what can be written without waiting.
    public func unbind() {
        state.withLock { $0.output }?.flush()
        release()
        loop.perform {
            let (output, input) = state.withLock { state in
                defer { state = State() }
                return (state.output, state.input)
            }
            input?.stop()
            output?.stop()
        }
    }

    /// Takes no input until `resume`, and writes what the guest has sent, as far as that needs no
    /// waiting.
    public func quiesce() {
        loop.perform {
            let (output, input) = state.withLock { state in
                state.isRunning = false
                return (state.output, state.input)
            }
            input?.hold()
            output?.flush()
        }
    }

    /// Lets input pass, for a guest that runs.
    public func resume() {
        loop.perform {
            let input = state.withLock { state in
                state.isRunning = true
                return state.input
            }
            begin(input)
        }
    }

    /// Goes on with input after the device has taken some; from any thread.
    public func continueInput() {
        state.withLock { $0.input }?.resume()
    }

    /// Takes a byte from the guest, from any thread; never waits.
    public func append(_ byte: UInt8) {
        state.withLock { $0.output }?.append(byte)
    }

    /// Takes bytes from the guest on a thread of the device's own: waits for a slow reader, but not
    /// for one that takes nothing.
    ///
    /// - Parameters:
    ///   - bytes: at most 64 KiB.
    ///   - isStopped: ends the waiting early.
    public func write(_ bytes: [UInt8], isStopped: () -> Bool) {
        state.withLock { $0.output }?.write(bytes, isStopped: isStopped)
    }

    /// Writes what the guest sends to `target`, whose flags are left alone.
    public func attach(output target: consuming OwnedDescriptor) throws(SystemError) {
        try attachOutput(SharedDescriptor(target))
    }

    private func attachOutput(_ target: SharedDescriptor?) throws(SystemError) {
        let stream = try SerialOutputStream(
            loop: loop, isReplaceable: target == nil, readerPatienceMilliseconds: readerPatience)
        try stream.start()
        stream.connect(target)
        state.withLock { $0.output = stream }
    }

    /// Passes what `source` gives to the guest, from the next `resume` on. A source that cannot be
    /// waited for, such as /dev/null, gives nothing.
    public func attach(input source: consuming OwnedDescriptor) {
        let input = makeInput(SharedDescriptor(source))
        state.withLock { $0.input = input }
    }

    private func makeInput(_ source: SharedDescriptor) -> SerialInput {
        SerialInput(from: source, loop: loop, receive: receiver.receive)
    }

    private func begin(_ input: SerialInput?) {
        input?.release()
        if receiver.hasRoom() { input?.resume() }
    }

    /// Takes those who have connected, the last of whom stays; on the loop's turn.
    private func acceptReaders() {
        while let listener = state.withLock({ $0.listener }),
            let reader = listener.accept()
        {
            let input = takesInput ? makeInput(reader) : nil
            let (output, isRunning, previous) = state.withLock { state in
                defer { state.input = input }
                return (state.output, state.isRunning, state.input)
            }
            previous?.stop()
            output?.connect(reader)
            if isRunning { begin(input) }
        }
    }
}

/// A listening socket that the loop's handlers reach.
private final class ListeningSocket: Sendable {
    let socket: StreamListener
    let watch = Mutex<EventLoop.Watch?>(nil)

    init(_ socket: consuming StreamListener) {
        self.socket = socket
    }

    /// The next connection; nil when there is none, or none can be had.
    func accept() -> SharedDescriptor? {
        do throws(SystemError) {
            let connection = try socket.accept(deadline: .now).descriptor.duplicate()
            // The connection is this process's alone, so its flags may change.
            try connection.setNonblocking(true)
            return SharedDescriptor(connection)
        } catch {
            return nil
        }
    }
}

/// A terminal that outlives who looks for its path.
private final class Terminal: Sendable {
    let device: PseudoTerminal

    init(_ device: consuming PseudoTerminal) {
        self.device = device
    }
}
