internal import GuestMemory
public import Machine
public import StateCoding
internal import Synchronization

/// The saved part of a transport: what the driver has negotiated and where its queues are.
public struct VirtioPCIState: VersionedState {
    /// Names the kind of component.
    public static let name = "virtio-pci"
    /// The layout that is written.
    public static let version: UInt16 = 1

    /// One queue.
    struct Queue: Equatable {
        var layout: VirtqueueLayout
        var isEnabled: Bool
        var vector: UInt16
        /// Where the device is in the rings; nil for a queue that is not in use.
        var position: Virtqueue.Position?
    }

    var status: DeviceStatus
    var deviceFeatureSelect: UInt32
    var driverFeatureSelect: UInt32
    var driverFeatures: VirtioFeatures
    var queueSelect: UInt16
    var interruptStatus: UInt8
    var configurationVector: UInt16
    var configurationGeneration: UInt8
    var queues: [Queue]

    /// Writes all registers and queues.
    public func encode(into writer: inout StateWriter) {
        writer.append(status.rawValue)
        writer.append(deviceFeatureSelect)
        writer.append(driverFeatureSelect)
        writer.append(driverFeatures.rawValue)
        writer.append(queueSelect)
        writer.append(interruptStatus)
        writer.append(configurationVector)
        writer.append(configurationGeneration)
        writer.appendCount(queues.count)
        for queue in queues { queue.encode(into: &writer) }
    }

    /// Reads all registers and queues.
    public init(from reader: inout StateReader, version: UInt16) throws(StateError) {
        status = DeviceStatus(rawValue: try reader.readUInt8())
        deviceFeatureSelect = try reader.readUInt32()
        driverFeatureSelect = try reader.readUInt32()
        driverFeatures = VirtioFeatures(rawValue: try reader.readUInt64())
        queueSelect = try reader.readUInt16()
        interruptStatus = try reader.readUInt8()
        configurationVector = try reader.readUInt16()
        configurationGeneration = try reader.readUInt8()
        let count = try reader.readCount(elementSize: 30)
        guard count <= VirtioPCILayout.maximumQueueCount else {
            throw reader.invalid("it has \(count) queues")
        }
        queues = []
        for _ in 0..<count { queues.append(try Queue(from: &reader)) }
    }
}

extension VirtioPCIState.Queue {
    fileprivate func encode(into writer: inout StateWriter) {
        writer.append(layout.size)
        writer.append(layout.descriptorTable.rawValue)
        writer.append(layout.availableRing.rawValue)
        writer.append(layout.usedRing.rawValue)
        writer.append(isEnabled)
        writer.append(vector)
        writer.append(position != nil)
        writer.append(position?.available ?? 0)
        writer.append(position?.used ?? 0)
    }

    fileprivate init(from reader: inout StateReader) throws(StateError) {
        layout = VirtqueueLayout(
            size: try reader.readUInt16(),
            descriptorTable: GuestAddress(try reader.readUInt64()),
            availableRing: GuestAddress(try reader.readUInt64()),
            usedRing: GuestAddress(try reader.readUInt64()))
        isEnabled = try reader.readBool()
        vector = try reader.readUInt16()
        let isInUse = try reader.readBool()
        let saved = Virtqueue.Position(
            available: try reader.readUInt16(), used: try reader.readUInt16())
        position = isInUse ? saved : nil
    }
}

extension VirtioPCITransport {
    /// The kinds of state that devices behind this transport have, for a destination to compare
    /// before any state comes.
    public static let components: [ComponentVersion] = [
        ComponentVersion(name: PCIFunctionState.name, version: PCIFunctionState.version),
        ComponentVersion(name: MSIXTableState.name, version: MSIXTableState.version),
        ComponentVersion(name: VirtioPCIState.name, version: VirtioPCIState.version),
        ComponentVersion(name: BlockState.name, version: BlockState.version),
        ComponentVersion(name: NetState.name, version: NetState.version),
        ComponentVersion(name: ConsoleState.name, version: ConsoleState.version),
        ComponentVersion(name: EntropyState.name, version: EntropyState.version),
    ]

    /// Writes function, transport and device. The device stands still.
    public func save(into writer: inout StateWriter) {
        function.save(into: &writer)
        writer.append(registers.withLock { state(of: $0) })
        device.save(into: &writer)
    }

    /// Reads what `save` wrote. A device that a driver uses is activated at its saved positions;
    /// it begins to work when its owner resumes it.
    public func load(from reader: inout StateReader) throws(StateError) {
        try function.load(from: &reader)
        let state = try reader.read(VirtioPCIState.self)
        try validate(state, reader)
        try device.load(from: &reader)
        apply(state)
    }

    private func state(of registers: TransportRegisters) -> VirtioPCIState {
        VirtioPCIState(
            status: notifier.status, registers: registers,
            interruptStatus: notifier.interruptStatus.load(ordering: .relaxed),
            configurationVector: notifier.configurationVector.load(ordering: .relaxed),
            configurationGeneration: notifier.configurationGeneration.load(ordering: .relaxed),
            queues: zip(queues, registers.queues).map { queue, settings in
                VirtioPCIState.Queue(
                    layout: settings.layout, isEnabled: settings.isEnabled,
                    vector: queue.vector.load(ordering: .relaxed), position: queue.position)
            })
    }

    private func validate(_ state: VirtioPCIState, _ reader: StateReader) throws(StateError) {
        guard state.queues.count == queues.count else {
            throw reader.invalid(
                "\(identifier) has \(state.queues.count) queues, here it has \(queues.count)")
        }
        guard state.driverFeatures.isSubset(of: offeredFeatures) else {
            let missing = state.driverFeatures.subtracting(offeredFeatures).rawValue
            throw reader.invalid(
                "the driver of \(identifier) uses features 0x\(String(missing, radix: 16)), "
                    + "which are not offered here")
        }
        for (queue, saved) in zip(queues, state.queues) where saved.isEnabled {
            do throws(VirtqueueError) {
                try saved.layout.validate(maximumSize: queue.maximumSize, in: memory)
            } catch {
                throw reader.invalid("queue \(queue.index) of \(identifier) is wrong: \(error)")
            }
        }
    }

    private func apply(_ state: VirtioPCIState) {
        notifier.restore(state)
        var positions: [Int: Virtqueue.Position] = [:]
        for (queue, saved) in zip(queues, state.queues) {
            queue.vector.store(validVector(UInt64(saved.vector)), ordering: .relaxed)
            positions[queue.index] = saved.position
        }
        let registers = registers.withLock { registers in
            registers.restore(state)
            return registers
        }
        if state.status.contains(.driverOK), !state.status.contains(.needsReset) {
            activate(registers, positions: positions)
        }
    }
}

extension VirtioPCIState {
    fileprivate init(
        status: DeviceStatus, registers: TransportRegisters, interruptStatus: UInt8,
        configurationVector: UInt16, configurationGeneration: UInt8, queues: [Queue]
    ) {
        self.status = status
        deviceFeatureSelect = registers.deviceFeatureSelect
        driverFeatureSelect = registers.driverFeatureSelect
        driverFeatures = registers.driverFeatures
        queueSelect = registers.queueSelect
        self.interruptStatus = interruptStatus
        self.configurationVector = configurationVector
        self.configurationGeneration = configurationGeneration
        self.queues = queues
    }
}

extension TransportRegisters {
    fileprivate mutating func restore(_ state: VirtioPCIState) {
        deviceFeatureSelect = state.deviceFeatureSelect
        driverFeatureSelect = state.driverFeatureSelect
        driverFeatures = state.driverFeatures
        queueSelect = state.queueSelect
        for (index, saved) in state.queues.enumerated() where queues.indices.contains(index) {
            queues[index].layout = saved.layout
            queues[index].isEnabled = saved.isEnabled
        }
    }
}
