internal import LinuxSystem
public import StateCoding
internal import Synchronization

/// A network interface (virtio 1.2, section 5.1) on a tap. Each pair of queues has a thread which
/// moves frames in both directions; a frame is either in the tap or in the guest, never between.
public final class NetDevice: VirtioDevice {
    /// Bits of the status field.
    private enum Link {
        static let isUp: UInt16 = 1
        static let announce: UInt16 = 2
    }

    /// What the driver has chosen, and what it was asked.
    struct Choice: Hashable, Sendable {
        var activePairs = 1
        var isAskedToAnnounce = false
    }

    private struct State {
        var tap: TapBackend?
        /// What was released, to be taken back.
        var released: TapState?
        /// The tap was taken over, and the guest has not run here since.
        var isFresh = false
        var choice = Choice()
    }

    private let configuration: NetConfiguration
    private let state = Mutex(State())
    private let activity = DeviceActivity()
    private let received = FrameCounters()
    private let transmitted = FrameCounters()
    private let failures = FailureReport()

    /// An interface without its tap.
    public init(_ configuration: NetConfiguration) {
        self.configuration = configuration
    }

    /// Name of the device.
    public var identifier: String { configuration.identifier }
    /// A network interface.
    public var kind: VirtioDeviceKind { .network }
    /// As configured.
    public var features: VirtioFeatures { configuration.features }
    /// Two queues for each pair and one for control.
    public var queueSizes: [UInt16] {
        Array(repeating: configuration.queueSize, count: 2 * pairCount) + [64]
    }
    /// Bytes and frames from (rx) and to (tx) the host.
    public var counters: [DeviceCounter] { received.values("rx") + transmitted.values("tx") }

    /// Reads `struct virtio_net_config`.
    public func readConfiguration(offset: Int, width: Int) -> UInt64 {
        let isAsked = state.withLock { $0.choice.isAskedToAnnounce }
        var contents = ConfigurationBytes(count: 12)
        for (index, byte) in configuration.address.bytes.enumerated() {
            contents.set(byte, at: index)
        }
        contents.set(Link.isUp | (isAsked ? Link.announce : 0), at: 6)
        contents.set(UInt16(pairCount), at: 8)
        contents.set(configuration.maximumTransmissionUnit ?? 0, at: 10)
        return contents.read(offset: offset, width: width)
    }

    /// Nothing in it can be written.
    public func writeConfiguration(offset: Int, width: Int, value: UInt64) {}

    /// Begins to move frames.
    public func activate(_ activation: DeviceActivation) {
        activity.activate(activation, start: startThreads)
    }

    /// Ends the work for this driver.
    public func reset() {
        activity.deactivate()
        let tap = state.withLock { state in
            state.choice = Choice()
            return state.tap
        }
        // A tap that keeps its queues drops what comes through them: the next driver chooses anew.
        try? tap?.setActivePairs(1)
    }

    /// Nothing can be kept, since a tap is open in one process only. But a host without taps is
    /// found out while the guest is still safe elsewhere.
    public func bind() throws(DeviceError) {
        do throws(SystemError) {
            try Tap.checkAvailability()
        } catch {
            throw .system(device: identifier, error)
        }
    }

    /// Opens the tap: the one that was released, or for a source that does not say (a base-protocol
    /// one), the one that is configured.
    public func takeOver(_ backendState: [UInt8]?) throws(DeviceError) {
        guard let bytes = backendState, !bytes.isEmpty else { return try openTap(nil) }
        try openTap(try releasedTap(bytes))
    }

    /// Begins to move frames.
    public func resume() throws(DeviceError) {
        let (tap, isFresh) = state.withLock { state in
            defer { state.isFresh = false }
            return (state.tap, state.isFresh)
        }
        guard let tap else { throw .unbound(device: identifier) }
        do throws(SystemError) {
            try activity.resume(start: startThreads)
        } catch {
            throw .system(device: identifier, error)
        }
        do throws(SystemError) {
            if isFresh { try tap.setPersistent(false) }
        } catch {
            // The guest can run all the same; the tap stays when it ends.
            activity.activation?.notifier.tell(.note("\(error)"))
        }
    }

    /// Ends the work for now.
    public func quiesce() { activity.quiesce() }

    /// Nothing takes long.
    public func prepareRelease() {}

    /// Closes the tap; one that was created stays.
    public func release() throws(DeviceError) -> [UInt8] {
        guard let tap = state.withLock({ $0.tap }) else { throw .unbound(device: identifier) }
        do throws(SystemError) {
            try tap.setPersistent(true)
        } catch {
            throw .system(device: identifier, error)
        }
        let released = TapState(name: tap.name, isCreated: tap.isCreated)
        state.withLock { state in
            state.tap = nil
            state.released = released
        }
        var writer = StateWriter()
        writer.append(released)
        return writer.bytes
    }

    /// Opens the tap again.
    public func reclaim() throws(DeviceError) {
        guard let released = state.withLock({ $0.released }) else {
            throw .unbound(device: identifier)
        }
        try openTap(released)
    }

    /// Closes the tap. One that was taken over is still there for whoever released it, unless the
    /// guest has run here.
    public func letGo() {
        activity.quiesce()
        state.withLock { $0.tap = nil }
    }

    /// Sends a frame that switches learn from, and asks the driver to announce its addresses.
    public func announce() {
        guard let queue = state.withLock({ $0.tap?.queues.first }) else { return }
        let header = [UInt8](repeating: 0, count: Tap.headerSize)
        do throws(SystemError) {
            try queue.tap.descriptor.writeAll(
                header + announcementFrame(from: configuration.address))
        } catch {
            activity.activation?.notifier.tell(.backendFailed(reason: "\(error)"))
        }
        guard let activation = activity.activation,
            activation.features.contains(NetFeature.announcement)
        else { return }
        state.withLock { $0.choice.isAskedToAnnounce = true }
        activation.notifier.configurationChanged()
    }

    /// Writes what the driver has chosen.
    public func save(into writer: inout StateWriter) {
        writer.append(NetState(choice: state.withLock { $0.choice }))
    }

    /// Reads what `save` wrote.
    public func load(from reader: inout StateReader) throws(StateError) {
        let saved = try reader.read(NetState.self)
        guard (1...pairCount).contains(saved.choice.activePairs) else {
            throw reader.invalid(
                "\(identifier) has \(saved.choice.activePairs) queue pairs, here it has "
                    + "\(pairCount)")
        }
        state.withLock { $0.choice = saved.choice }
    }
}

extension NetDevice {
    private var pairCount: Int { max(1, min(configuration.queuePairs, 64)) }

    private func releasedTap(_ bytes: [UInt8]) throws(DeviceError) -> TapState {
        do throws(StateError) {
            var reader = StateReader(bytes, name: identifier)
            let state = try reader.read(TapState.self)
            try reader.finish()
            return state
        } catch {
            throw .backendState(device: identifier, reason: "\(error)")
        }
    }

    private func openTap(_ released: TapState?) throws(DeviceError) {
        do throws(SystemError) {
            let tap =
                if let released {
                    try TapBackend(takingOver: released, configuration)
                } else {
                    try TapBackend(creating: configuration)
                }
            try tap.setActivePairs(state.withLock { $0.choice.activePairs })
            state.withLock { state in
                state.tap = tap
                state.isFresh = released != nil
            }
        } catch {
            throw .system(device: identifier, error)
        }
    }

    private func startThreads(
        _ activation: DeviceActivation, _ stop: StopFlag
    ) throws(SystemError) -> [WorkerThread] {
        guard let tap = state.withLock({ $0.tap }) else { return [] }
        try tap.set(activation.features.tapOffloads)
        var threads: [WorkerThread] = []
        for (index, queue) in tap.queues.enumerated() {
            let receive = activation.queues[2 * index]
            let transmit = activation.queues[2 * index + 1]
            guard receive.isEnabled || transmit.isEnabled else { continue }
            let port = NetPair.Port(
                receive: receive, transmit: transmit,
                control: index == 0 ? control(activation) : nil, tap: queue,
                activation: activation, stop: stop, received: received, transmitted: transmitted
            ) { [self] error in
                failures.tell(activation.notifier, "\(error)")
            }
            threads.append(
                try WorkerThread(name: "\(identifier) q\(index)") { stop in
                    var pair = NetPair(port)
                    do throws(SystemError) {
                        try pair.run(stop: stop)
                    } catch {
                        activation.notifier.fail("Its frames cannot be moved: \(error)")
                    }
                })
        }
        return threads
    }

    /// The control queue is the one after the pairs that the driver knows of.
    private func control(_ activation: DeviceActivation) -> NetControl? {
        guard activation.features.contains(NetFeature.controlQueue) else { return nil }
        let knowsAllPairs = activation.features.contains(NetFeature.multipleQueues)
        let queue = activation.queues[knowsAllPairs ? 2 * pairCount : 2]
        return NetControl(queue: queue, notifier: activation.notifier) { [self] command in
            let isDone = perform(command)
            // Pairs that are on now look at their queue of the tap again.
            for index in 0..<pairCount { activation.queues[2 * index].doorbell.signal() }
            return isDone
        }
    }

    private func perform(_ command: NetControl.Command) -> Bool {
        switch command {
        case .acknowledgeAnnouncement:
            state.withLock { $0.choice.isAskedToAnnounce = false }
            return true
        case .setQueuePairs(let count):
            guard (1...pairCount).contains(count), let tap = state.withLock({ $0.tap }),
                (try? tap.setActivePairs(count)) != nil
            else { return false }
            state.withLock { $0.choice.activePairs = count }
            return true
        }
    }
}
