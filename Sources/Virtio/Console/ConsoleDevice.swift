internal import LinuxSystem
internal import Machine
public import StateCoding
internal import Synchronization

/// How much of the first request in the transmit queue was written already. It moves with the
/// guest, so that no output is lost or repeated.
final class ConsoleProgress: Sendable {
    private let count = Atomic<Int>(0)

    var transmitted: Int { count.load(ordering: .relaxed) }

    func setTransmitted(_ transmitted: Int) {
        count.store(transmitted, ordering: .relaxed)
    }
}

/// A console with one port (virtio 1.2, section 5.3).
public final class ConsoleDevice: VirtioDevice {
    private let configuration: ConsoleConfiguration
    private let backend = Mutex<ConsoleBackend?>(nil)
    private let activity = DeviceActivity()
    private let progress = ConsoleProgress()
    private let failures = FailureReport()

    /// A console without its streams.
    public init(_ configuration: ConsoleConfiguration) {
        self.configuration = configuration
    }

    /// Name of the device.
    public var identifier: String { configuration.identifier }
    /// A console.
    public var kind: VirtioDeviceKind { .console }
    /// None: one port, and no size.
    public var features: VirtioFeatures { [] }
    /// One queue to the guest and one from it.
    public var queueSizes: [UInt16] { [256, 256] }
    /// It counts nothing.
    public var counters: [DeviceCounter] { [] }

    /// Without features there is nothing to read.
    public func readConfiguration(offset: Int, width: Int) -> UInt64 { 0 }
    /// Without features there is nothing to write.
    public func writeConfiguration(offset: Int, width: Int, value: UInt64) {}

    /// Begins to move bytes.
    public func activate(_ activation: DeviceActivation) {
        activity.activate(activation, start: startThreads)
    }

    /// Ends the work for this driver.
    public func reset() {
        activity.deactivate()
        progress.setTransmitted(0)
    }

    /// Opens the streams, which any number of processes can write to.
    public func bind() throws(DeviceError) {
        do throws(SystemError) {
            let opened = try ConsoleBackend(configuration)
            backend.withLock { $0 = opened }
        } catch {
            throw .system(device: identifier, error)
        }
    }

    /// Uses streams that are open already instead of those of the configuration.
    func bind(_ opened: ConsoleBackend) {
        backend.withLock { $0 = opened }
    }

    /// There is nothing left to take.
    public func takeOver(_ backendState: [UInt8]?) throws(DeviceError) {
        guard backendState?.isEmpty ?? true else {
            throw .backendState(device: identifier, reason: "it should be empty")
        }
    }

    /// Begins to move bytes.
    public func resume() throws(DeviceError) {
        guard backend.withLock({ $0 != nil }) else { throw .unbound(device: identifier) }
        do throws(SystemError) {
            try activity.resume(start: startThreads)
        } catch {
            throw .system(device: identifier, error)
        }
    }

    /// Ends the work for now.
    public func quiesce() { activity.quiesce() }

    /// Nothing takes long.
    public func prepareRelease() {}
    /// There is nothing that another process would wait for.
    public func release() throws(DeviceError) -> [UInt8] { [] }
    /// Nothing was let go.
    public func reclaim() throws(DeviceError) {}

    /// Closes the streams.
    public func letGo() {
        activity.quiesce()
        backend.withLock { $0 = nil }
    }

    /// The world does not know this device.
    public func announce() {}

    /// Writes how far the first request is done.
    public func save(into writer: inout StateWriter) {
        writer.append(ConsoleState(transmitted: UInt32(clamping: progress.transmitted)))
    }

    /// Reads what `save` wrote.
    public func load(from reader: inout StateReader) throws(StateError) {
        progress.setTransmitted(Int(try reader.read(ConsoleState.self).transmitted))
    }

    private func startThreads(
        _ activation: DeviceActivation, _ stop: StopFlag
    ) throws(SystemError) -> [WorkerThread] {
        guard let backend = backend.withLock({ $0 }) else { return [] }
        let parts = ConsolePort.Parts(
            receive: activation.queues[0], transmit: activation.queues[1], backend: backend,
            progress: progress, activation: activation, stop: stop
        ) { [self] error in
            failures.tell(activation.notifier, "\(error)")
        }
        return [
            try WorkerThread(name: identifier) { stop in
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

/// The saved part of a console.
struct ConsoleState: VersionedState {
    static let name = "console"
    static let version: UInt16 = 1

    let transmitted: UInt32

    init(transmitted: UInt32) {
        self.transmitted = transmitted
    }

    func encode(into writer: inout StateWriter) {
        writer.append(transmitted)
    }

    init(from reader: inout StateReader, version: UInt16) throws(StateError) {
        transmitted = try reader.readUInt32()
    }
}
