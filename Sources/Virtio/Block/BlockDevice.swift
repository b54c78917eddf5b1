internal import LinuxSystem
public import StateCoding
internal import Synchronization

/// A disk (virtio 1.2, section 5.2) on a raw image. Each queue has a thread that does one request
/// at a time with blocking calls, so a disk at rest has nothing in flight.
public final class BlockDevice: VirtioDevice {
    /// Feature bits of disks.
    private enum Feature {
        static let segmentLimit = VirtioFeatures(bit: 2)
        static let readOnly = VirtioFeatures(bit: 5)
        static let blockSize = VirtioFeatures(bit: 6)
        static let flush = VirtioFeatures(bit: 9)
        static let topology = VirtioFeatures(bit: 10)
        static let multipleQueues = VirtioFeatures(bit: 12)
        static let discard = VirtioFeatures(bit: 13)
        static let writeZeroes = VirtioFeatures(bit: 14)
    }

    private let configuration: BlockConfiguration
    private let image = Mutex<BlockImage?>(nil)
    /// Known once the image was opened or the state of a moved guest was read.
    private let geometry = Mutex<BlockGeometry?>(nil)
    private let activity = DeviceActivity()
    private let reads = TransferCounters()
    private let writes = TransferCounters()
    private let failures = FailureReport()

    /// A disk without its image.
    public init(_ configuration: BlockConfiguration) {
        self.configuration = configuration
    }

    /// Name of the device.
    public var identifier: String { configuration.identifier }
    /// A disk.
    public var kind: VirtioDeviceKind { .block }
    /// Flushing, block size and limits; being read-only and having several queues if configured;
    /// giving space back if the image can, and as long as it is not known: a guest that comes here
    /// has what it had.
    public var features: VirtioFeatures {
        var features: VirtioFeatures = [
            Feature.segmentLimit, Feature.blockSize, Feature.flush, Feature.topology,
        ]
        if configuration.isReadOnly { features.insert(Feature.readOnly) }
        let canDiscard = image.withLock { $0?.canDiscard }
        if canDiscard ?? (configuration.isSparse && !configuration.isReadOnly) {
            features.formUnion([Feature.discard, Feature.writeZeroes])
        }
        if configuration.queueCount > 1 { features.insert(Feature.multipleQueues) }
        return features
    }
    /// As configured.
    public var queueSizes: [UInt16] {
        Array(
            repeating: configuration.queueSize,
            count: max(1, min(configuration.queueCount, VirtioPCILayout.maximumQueueCount - 1)))
    }
    /// Bytes, operations and latencies in microseconds, of both directions.
    public var counters: [DeviceCounter] { reads.values("read") + writes.values("write") }

    /// Reads `struct virtio_blk_config`.
    public func readConfiguration(offset: Int, width: Int) -> UInt64 {
        let geometry = geometry.withLock { $0 }
        var contents = ConfigurationBytes(count: 60)
        contents.set(geometry?.sectorCount ?? 0, at: 0)
        // Header and status take two descriptors of a chain.
        contents.set(UInt32(max(configuration.queueSize, 3) - 2), at: 12)
        contents.set(geometry?.blockSize ?? UInt32(sectorSize), at: 20)
        setTopology(of: geometry, in: &contents)
        contents.set(UInt16(queueSizes.count), at: 34)
        setRangeLimits(in: &contents)
        return contents.read(offset: offset, width: width)
    }

    /// File systems of the host have blocks of 4 KiB, whatever the unit of requests is.
    private func setTopology(of geometry: BlockGeometry?, in contents: inout ConfigurationBytes) {
        let blocks = PageSize.base / Int(geometry?.blockSize ?? UInt32(sectorSize))
        contents.set(UInt8(blocks.trailingZeroBitCount), at: 24)
        contents.set(UInt16(blocks), at: 26)
    }

    private func setRangeLimits(in contents: inout ConfigurationBytes) {
        let alignment = UInt32(PageSize.base / sectorSize)
        contents.set(BlockRequest.maximumRangeSectors, at: 36)
        contents.set(UInt32(BlockRequest.maximumSegments), at: 40)
        contents.set(alignment, at: 44)
        contents.set(BlockRequest.maximumRangeSectors, at: 48)
        contents.set(UInt32(BlockRequest.maximumSegments), at: 52)
        contents.set(UInt8(1), at: 56)  // zeroing may give space back
    }

    /// Gives the disk another size, and the guest the news. No request is in work meanwhile, so that
    /// none writes behind the new end.
    ///
    /// - Parameter byteCount: a multiple of the block size. An image that is a file gets it; a block
    ///   device must have as many bytes already.
    public func resize(to byteCount: UInt64) throws(DeviceError) {
        let image = try boundImage()
        guard let known = geometry.withLock({ $0 }) else { throw .unbound(device: identifier) }
        func refusal(_ reason: String) -> DeviceError {
            .diskSize(device: identifier, bytes: byteCount, reason: reason)
        }
        guard !configuration.isReadOnly else { throw refusal("it is read-only") }
        guard byteCount > 0, byteCount.isMultiple(of: UInt64(known.blockSize)),
            let size = Int(exactly: byteCount)
        else { throw refusal("the size must be a multiple of \(known.blockSize) bytes") }
        let isRunning = activity.isAllowed
        activity.quiesce()
        do throws(DeviceError) {
            try image.resize(to: size)
        } catch {
            if isRunning { try resume() }
            throw error
        }
        geometry.withLock { $0?.sectorCount = byteCount / UInt64(sectorSize) }
        if isRunning { try resume() }
        activity.activation?.notifier.configurationChanged()
    }

    /// Nothing in it can be written.
    public func writeConfiguration(offset: Int, width: Int, value: UInt64) {}

    /// Begins to serve the queues.
    public func activate(_ activation: DeviceActivation) {
        activity.activate(activation, start: startThreads)
    }

    /// Ends the work for this driver.
    public func reset() { activity.deactivate() }

    /// Opens the image and compares it with what the guest has seen of it, without locking it.
    public func bind() throws(DeviceError) {
        let opened = try BlockImage(configuration, expected: geometry.withLock { $0 })
        geometry.withLock { $0 = $0 ?? opened.geometry }
        image.withLock { $0 = opened }
    }

    /// Locks the image.
    public func takeOver(_ backendState: [UInt8]?) throws(DeviceError) {
        guard backendState?.isEmpty ?? true else {
            throw .backendState(device: identifier, reason: "it should be empty")
        }
        try boundImage().lock()
    }

    /// Begins to serve.
    public func resume() throws(DeviceError) {
        _ = try boundImage()
        do throws(SystemError) {
            try activity.resume(start: startThreads)
        } catch {
            throw .system(device: identifier, error)
        }
    }

    /// Ends the work for now, with the requests in hand done.
    public func quiesce() { activity.quiesce() }

    /// Flushes the image, so that little is left to flush when the guest stands still.
    public func prepareRelease() {
        guard let image = image.withLock({ $0 }) else { return }
        // A failure comes again at release, which reports it.
        try? image.flush()
    }

    /// Flushes and unlocks the image.
    public func release() throws(DeviceError) -> [UInt8] {
        try boundImage().unlock()
        return []
    }

    /// Locks the image again.
    public func reclaim() throws(DeviceError) {
        try boundImage().lock()
    }

    /// Closes the image, which unlocks it.
    public func letGo() {
        activity.quiesce()
        image.withLock { $0 = nil }
    }

    /// The world does not know this device.
    public func announce() {}

    /// Writes what the guest knows of the size of its disk.
    public func save(into writer: inout StateWriter) {
        let known = geometry.withLock { $0 } ?? BlockGeometry(sectorCount: 0, blockSize: 512)
        writer.append(BlockState(geometry: known))
    }

    /// Reads what `save` wrote; the image must fit it when it is opened.
    public func load(from reader: inout StateReader) throws(StateError) {
        let state = try reader.read(BlockState.self)
        geometry.withLock { $0 = state.geometry }
    }

    private func boundImage() throws(DeviceError) -> BlockImage {
        guard let image = image.withLock({ $0 }) else { throw .unbound(device: identifier) }
        return image
    }

    private func startThreads(
        _ activation: DeviceActivation, _ stop: StopFlag
    ) throws(SystemError) -> [WorkerThread] {
        guard let image = image.withLock({ $0 }), let geometry = geometry.withLock({ $0 }) else {
            return []
        }
        var threads: [WorkerThread] = []
        for queue in activation.queues where queue.isEnabled {
            let worker = try makeQueue(activation, image, geometry)
            threads.append(
                try WorkerThread.serving(
                    queue, of: activation, name: "\(identifier) q\(queue.index)", kind: .disk
                ) { chain in
                    queue.serve(&chain, until: stop, activation.notifier, worker.serve)
                })
        }
        return threads
    }

    private func makeQueue(
        _ activation: DeviceActivation, _ image: BlockImage, _ geometry: BlockGeometry
    ) throws(SystemError) -> BlockQueue {
        let serial = Array(configuration.serial.utf8.prefix(BlockRequest.serialSize))
        let padding = [UInt8](repeating: 0, count: BlockRequest.serialSize - serial.count)
        return BlockQueue(
            image: image, geometry: geometry, isReadOnly: configuration.isReadOnly,
            serial: serial + padding,
            driverFlushes: activation.features.contains(Feature.flush),
            bounce: configuration.isDirect ? try BounceBuffer() : nil, reads: reads, writes: writes
        ) { [self] error in
            failures.tell(activation.notifier, "\(error)")
        }
    }
}
