internal import LinuxSystem
public import StateCoding
internal import Synchronization

/// A source of random bytes (virtio 1.2, section 5.4): what the driver offers on its queue is
/// filled from a file of the host's.
public final class EntropyDevice: VirtioDevice {
    /// What the device is made of.
    public struct Configuration: Hashable, Sendable {
        /// Name of the device.
        public var identifier: String
        /// The file that is read.
        public var source: String

        /// A configuration; `source` is usually the kernel's generator.
        public init(identifier: String, source: String = "/dev/urandom") {
            self.identifier = identifier
            self.source = source
        }
    }

    /// The most bytes that one request gets. The driver asks again for more.
    static let maximumRequest = 64 * 1024

    private let configuration: Configuration
    private let source = Mutex<SharedDescriptor?>(nil)
    private let activity = DeviceActivity()
    private let bytes = Atomic<UInt64>(0)

    /// A device without its source.
    public init(_ configuration: Configuration) {
        self.configuration = configuration
    }

    /// Name of the device.
    public var identifier: String { configuration.identifier }
    /// A source of random bytes.
    public var kind: VirtioDeviceKind { .entropy }
    /// There are none of this kind.
    public var features: VirtioFeatures { [] }
    /// One queue.
    public var queueSizes: [UInt16] { [256] }
    /// How many bytes the driver was given.
    public var counters: [DeviceCounter] {
        [DeviceCounter("read_bytes", bytes.load(ordering: .relaxed))]
    }

    /// There is no configuration.
    public func readConfiguration(offset: Int, width: Int) -> UInt64 { 0 }
    /// There is no configuration.
    public func writeConfiguration(offset: Int, width: Int, value: UInt64) {}

    /// Begins to serve the queue.
    public func activate(_ activation: DeviceActivation) {
        activity.activate(activation, start: startThreads)
    }

    /// Ends the work for this driver.
    public func reset() { activity.deactivate() }

    /// Opens the source.
    public func bind() throws(DeviceError) {
        do throws(SystemError) {
            let opened = SharedDescriptor(try OwnedDescriptor(opening: configuration.source))
            source.withLock { $0 = opened }
        } catch {
            throw .system(device: identifier, error)
        }
    }

    /// Any number of processes can read the source: nothing is left to take.
    public func takeOver(_ backendState: [UInt8]?) throws(DeviceError) {
        guard backendState?.isEmpty ?? true else {
            throw .backendState(device: identifier, reason: "it should be empty")
        }
    }

    /// Begins to serve.
    public func resume() throws(DeviceError) {
        guard source.withLock({ $0 != nil }) else { throw .unbound(device: identifier) }
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

    /// Closes the source.
    public func letGo() {
        activity.quiesce()
        source.withLock { $0 = nil }
    }

    /// The world does not know this device.
    public func announce() {}

    /// There is no state beside that of queues and features.
    public func save(into writer: inout StateWriter) {
        writer.append(EntropyState())
    }

    /// Reads what `save` wrote.
    public func load(from reader: inout StateReader) throws(StateError) {
        _ = try reader.read(EntropyState.self)
    }

    private func startThreads(
        _ activation: DeviceActivation, _ stop: StopFlag
    ) throws(SystemError) -> [WorkerThread] {
        guard let queue = activation.queues.first, let source = source.withLock({ $0 }) else {
            return []
        }
        return [
            try WorkerThread.serving(queue, of: activation, name: identifier, kind: .entropy) {
                [self] chain in
                queue.serve(&chain, until: stop, activation.notifier) {
                    chain throws(VirtqueueError) in
                    guard !chain.writable.isEmpty else {
                        throw .malformedRequest("without room for random bytes")
                    }
                    return fill(&chain.writable, from: source, activation.notifier)
                }
            }
        ]
    }

    private func fill(
        _ buffers: inout BufferList, from source: SharedDescriptor, _ notifier: DriverNotifier
    ) -> UInt32 {
        do throws(SystemError) {
            let count = try buffers.fill(
                from: 0, count: Self.maximumRequest, by: source.descriptor)
            bytes.wrappingAdd(UInt64(count), ordering: .relaxed)
            return UInt32(clamping: count)
        } catch {
            notifier.tell(.backendFailed(reason: String(describing: error)))
            return 0
        }
    }
}

/// A source of random bytes has nothing to save. It is in the state all the same, so that the place
/// of each device is checked.
struct EntropyState: VersionedState {
    static let name = "entropy"
    static let version: UInt16 = 1

    init() {}

    func encode(into writer: inout StateWriter) {}

    init(from reader: inout StateReader, version: UInt16) throws(StateError) {}
}
