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

    struct State {
        var tap: TapBackend?
        /// What was released, to be taken back.
        var released: TapState?
        /// The tap was taken over, and the guest has not run here since.
        var isFresh = false
        var choice = NetChoice()
        var isLinkUp = true
    }

    let configuration: NetConfiguration
    let state = Mutex(State())
    let activity = DeviceActivity()
    let received = FrameCounters()
    let transmitted = FrameCounters()
    let failures = FailureReport()
    let announcer = NetAnnouncer()

    /// An interface without its tap.
    public init(_ configuration: NetConfiguration) {
        self.configuration = configuration
        features = configuration.features(segmentsDatagrams: Tap.segmentsDatagrams)
    }

    /// Name of the device.
    public var identifier: String { configuration.identifier }
    /// A network interface.
    public var kind: VirtioDeviceKind { .network }
    /// As configured, and as this host's taps allow.
    public let features: VirtioFeatures
    /// Two queues for each pair and one for control.
    public var queueSizes: [UInt16] {
        Array(repeating: configuration.queueSize, count: 2 * pairCount) + [64]
    }
    /// Bytes and frames from (rx) and to (tx) the host.
    public var counters: [DeviceCounter] { received.values("rx") + transmitted.values("tx") }

    /// Reads `struct virtio_net_config`.
    public func readConfiguration(offset: Int, width: Int) -> UInt64 {
        let (choice, isUp) = state.withLock { ($0.choice, $0.isLinkUp) }
        var contents = ConfigurationBytes(count: 12)
        for (index, byte) in (choice.address ?? configuration.address).bytes.enumerated() {
            contents.set(byte, at: index)
        }
        contents.set(
            (isUp ? Link.isUp : 0) | (choice.isAskedToAnnounce ? Link.announce : 0), at: 6)
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
            state.choice = NetChoice()
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
        // Whoever had the tap meanwhile may have been heard of.
        announcer.require()
    }

    /// Closes the tap. One that was taken over is still there for whoever released it, unless the
    /// guest has run here.
    public func letGo() {
        activity.quiesce()
        state.withLock { $0.tap = nil }
    }

    /// Writes what the driver has chosen.
    public func save(into writer: inout StateWriter) {
        writer.append(
            state.withLock { NetState(choice: $0.choice, isLinkUp: $0.isLinkUp) })
    }

    /// Reads what `save` wrote.
    public func load(from reader: inout StateReader) throws(StateError) {
        let saved = try reader.read(NetState.self)
        guard (1...pairCount).contains(saved.choice.activePairs) else {
            throw reader.invalid(
                "\(identifier) has \(saved.choice.activePairs) queue pairs, here it has "
                    + "\(pairCount)")
        }
        state.withLock { state in
            state.choice = saved.choice
            state.isLinkUp = saved.isLinkUp
        }
        // The guest comes from elsewhere.
        announcer.require()
    }
}

extension NetDevice {
    var pairCount: Int { max(1, min(configuration.queuePairs, 64)) }

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
}
