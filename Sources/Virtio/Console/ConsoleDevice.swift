internal import LinuxSystem
public import Machine
public import StateCoding
internal import Synchronization

/// A console with one port (virtio 1.2, section 5.3).
public final class ConsoleDevice: VirtioDevice {
    private let configuration: ConsoleConfiguration
    private let loop: EventLoop
    private let line = Mutex<SerialLine?>(nil)
    private let activity = DeviceActivity()
    private let backlog: ConsoleBacklog
    private let readerPatience: Int

    /// A console without its streams.
    ///
    /// - Parameters:
    ///   - loop: where output is written and input awaited.
    ///   - readerPatience: how long output waits for a reader that takes nothing, in milliseconds,
    ///     before it is dropped.
    public init(
        _ configuration: ConsoleConfiguration, loop: EventLoop,
        readerPatience: Int = SerialLine.usualReaderPatience
    ) throws(DeviceError) {
        self.configuration = configuration
        self.loop = loop
        self.readerPatience = readerPatience
        do throws(SystemError) {
            backlog = try ConsoleBacklog(identifier: configuration.identifier)
        } catch {
            throw .system(device: configuration.identifier, error)
        }
    }

    /// Name of the device.
    public var identifier: String { configuration.identifier }
    /// A console.
    public var kind: VirtioDeviceKind { .console }
    /// None: one port, and no size.
    public var features: VirtioFeatures { [] }
    /// One queue to the guest and one from it.
    public var queueSizes: [UInt16] { [256, 256] }
    /// Bytes of output that nobody read.
    public var counters: [DeviceCounter] {
        [DeviceCounter("dropped_bytes", line.withLock { $0 }?.droppedBytes ?? 0)]
    }
    /// Where the users of the console's own terminal find it; nil without one.
    public var terminalPath: String? { line.withLock { $0 }?.terminalPath }

    /// Without features there is nothing to read.
    public func readConfiguration(offset: Int, width: Int) -> UInt64 { 0 }
    /// Without features there is nothing to write.
    public func writeConfiguration(offset: Int, width: Int, value: UInt64) {}

    /// Begins to move bytes.
    public func activate(_ activation: DeviceActivation) {
        activity.activate(activation, start: startThreads)
    }

    /// Ends the work for this driver.
    public func reset() { activity.deactivate() }

    /// Opens the streams that any number of processes can write to.
    public func bind() throws(DeviceError) {
        let opened = makeLine(to: configuration.output)
        do throws(SystemError) {
            try opened.bind()
        } catch {
            throw .system(device: identifier, error)
        }
        line.withLock { $0 = opened }
    }

    /// Uses streams that are open already instead of those of the configuration.
    func bind(
        output: consuming OwnedDescriptor? = nil, input: consuming OwnedDescriptor? = nil
    ) throws(SystemError) {
        let opened = makeLine(to: .null)
        if let output { try opened.attach(output: output) }
        if let input { opened.attach(input: input) }
        line.withLock { $0 = opened }
    }

    private func makeLine(to output: SerialOutput) -> SerialLine {
        let backlog = backlog
        return SerialLine(
            to: output, takesInput: configuration.takesInput, loop: loop,
            receiver: SerialLine.Receiver(
                receive: { backlog.append($0) }, hasRoom: { backlog.hasRoom }),
            readerPatience: readerPatience)
    }

    /// Takes the path of a socket, if it has one.
    public func takeOver(_ backendState: [UInt8]?) throws(DeviceError) {
        guard backendState?.isEmpty ?? true else {
            throw .backendState(device: identifier, reason: "it should be empty")
        }
        try exclusive { (line) throws(SystemError) in try line.takeOver() }
    }

    private func exclusive(
        _ step: (SerialLine) throws(SystemError) -> Void
    ) throws(DeviceError) {
        guard let line = line.withLock({ $0 }) else { throw .unbound(device: identifier) }
        do throws(SystemError) {
            try step(line)
        } catch {
            throw .system(device: identifier, error)
        }
    }

    /// Begins to move bytes.
    public func resume() throws(DeviceError) {
        try exclusive { (line) throws(SystemError) in
            try activity.resume(start: startThreads)
            line.resume()
        }
    }

    /// Ends the work for now, and writes what the guest has sent, as far as that needs no waiting.
    public func quiesce() {
        activity.quiesce()
        line.withLock { $0 }?.quiesce()
    }

    /// Nothing takes long.
    public func prepareRelease() {}
    /// Lets go of the path of a socket.
    public func release() throws(DeviceError) -> [UInt8] {
        line.withLock { $0 }?.release()
        return []
    }
    /// Takes the path of a socket back.
    public func reclaim() throws(DeviceError) {
        try exclusive { (line) throws(SystemError) in try line.reclaim() }
    }

    /// Closes the streams.
    public func letGo() {
        activity.quiesce()
        let closed = line.withLock { line in
            defer { line = nil }
            return line
        }
        closed?.unbind()
    }

    /// The world does not know this device.
    public func announce() {}

    /// Writes the input that the guest has not taken.
    public func save(into writer: inout StateWriter) {
        writer.append(ConsoleState(backlog: backlog.contents))
    }

    /// Reads what `save` wrote.
    public func load(from reader: inout StateReader) throws(StateError) {
        backlog.replace(with: try reader.read(ConsoleState.self).backlog)
    }

    private func startThreads(
        _ activation: DeviceActivation, _ stop: StopFlag
    ) throws(SystemError) -> [WorkerThread] {
        guard let line = line.withLock({ $0 }) else { return [] }
        let parts = ConsolePort.Parts(
            receive: activation.queues[0], transmit: activation.queues[1], line: line,
            backlog: backlog, activation: activation, stop: stop)
        return [
            try WorkerThread(name: identifier, kind: .console) { stop in
                var port = ConsolePort(parts)
                do throws(SystemError) {
                    try port.run(stop: stop)
                } catch {
                    activation.notifier.fail("Its bytes cannot be moved: \(error)")
                }
            }
        ]
    }
}

/// The saved part of a console: input that the guest has not read.
struct ConsoleState: VersionedState {
    static let name = "console"
    static let version: UInt16 = 1

    let backlog: [UInt8]

    init(backlog: [UInt8]) {
        self.backlog = backlog
    }

    func encode(into writer: inout StateWriter) {
        writer.appendBytes(backlog)
    }

    init(from reader: inout StateReader, version: UInt16) throws(StateError) {
        backlog = try reader.readBytes()
        guard backlog.count <= SerialLine.backlogLimit else {
            throw reader.invalid("\(backlog.count) bytes of input are waiting")
        }
    }
}
