internal import GuestMemory
internal import Machine
internal import Synchronization

/// The common configuration structure (virtio 1.2, section 4.1.4.3).
extension VirtioPCITransport {
    /// Offsets of its registers. Each is read and written at its own width, the addresses also in
    /// two halves.
    private enum Register {
        static let deviceFeatureSelect = 0x00
        static let deviceFeature = 0x04
        static let driverFeatureSelect = 0x08
        static let driverFeature = 0x0C
        static let configurationVector = 0x10
        static let queueCount = 0x12
        static let status = 0x14
        static let generation = 0x15
        static let queueSelect = 0x16
        static let queueSize = 0x18
        static let queueVector = 0x1A
        static let queueEnable = 0x1C
        static let queueNotifyOffset = 0x1E
        static let descriptorTable = 0x20..<0x28
        static let availableRing = 0x28..<0x30
        static let usedRing = 0x30..<0x38
    }

    func readCommon(_ offset: Int, _ width: Int) -> UInt64 {
        registers.withLock { registers in
            switch offset {
            case Register.deviceFeatureSelect: UInt64(registers.deviceFeatureSelect)
            case Register.deviceFeature:
                UInt64(TransportRegisters.half(registers.deviceFeatureSelect, of: offeredFeatures))
            case Register.driverFeatureSelect: UInt64(registers.driverFeatureSelect)
            case Register.driverFeature:
                UInt64(
                    TransportRegisters.half(
                        registers.driverFeatureSelect, of: registers.driverFeatures))
            case Register.configurationVector:
                UInt64(notifier.configurationVector.load(ordering: .relaxed))
            case Register.queueCount: UInt64(queues.count)
            case Register.status: UInt64(notifier.status.rawValue)
            case Register.generation:
                UInt64(notifier.configurationGeneration.load(ordering: .acquiring))
            case Register.queueSelect: UInt64(registers.queueSelect)
            default: readQueue(offset, width, registers)
            }
        }
    }

    /// Reads a register of the chosen queue; 0 when there is no such queue.
    private func readQueue(_ offset: Int, _ width: Int, _ registers: TransportRegisters) -> UInt64 {
        guard let index = registers.selectedQueue else { return 0 }
        let queue = registers.queues[index]
        func part(_ address: GuestAddress, _ range: Range<Int>) -> UInt64 {
            address.rawValue >> UInt64(8 * (offset - range.lowerBound))
        }
        switch offset {
        case Register.queueSize: return UInt64(queue.layout.size)
        case Register.queueVector: return UInt64(queues[index].vector.load(ordering: .relaxed))
        case Register.queueEnable: return queue.isEnabled ? 1 : 0
        case Register.queueNotifyOffset: return UInt64(index)
        case Register.descriptorTable:
            return part(queue.layout.descriptorTable, Register.descriptorTable)
        case Register.availableRing:
            return part(queue.layout.availableRing, Register.availableRing)
        case Register.usedRing: return part(queue.layout.usedRing, Register.usedRing)
        default: return 0
        }
    }

    func writeCommon(_ offset: Int, _ width: Int, _ value: UInt64) {
        registers.withLock { registers in
            switch (offset, width) {
            case (Register.deviceFeatureSelect, 4):
                registers.deviceFeatureSelect = UInt32(truncatingIfNeeded: value)
            case (Register.driverFeatureSelect, 4):
                registers.driverFeatureSelect = UInt32(truncatingIfNeeded: value)
            case (Register.driverFeature, 4):
                // What was agreed on is not changed any more.
                guard !notifier.status.contains(.featuresOK) else { return }
                registers.setDriverFeatures(UInt32(truncatingIfNeeded: value))
            case (Register.configurationVector, 2):
                notifier.configurationVector.store(validVector(value), ordering: .relaxed)
            case (Register.status, 1):
                setStatus(DeviceStatus(rawValue: UInt8(truncatingIfNeeded: value)), &registers)
            case (Register.queueSelect, 2):
                registers.queueSelect = UInt16(truncatingIfNeeded: value)
            default:
                writeQueue(offset, width, value, &registers)
            }
        }
    }

    /// Writes a register of the chosen queue. A queue that is enabled keeps its size and place.
    private func writeQueue(
        _ offset: Int, _ width: Int, _ value: UInt64, _ registers: inout TransportRegisters
    ) {
        guard let index = registers.selectedQueue else { return }
        if offset == Register.queueVector, width == 2 {
            queues[index].vector.store(validVector(value), ordering: .relaxed)
            return
        }
        guard !registers.queues[index].isEnabled else { return }
        var layout = registers.queues[index].layout
        switch (offset, width) {
        case (Register.queueSize, 2): layout.size = UInt16(truncatingIfNeeded: value)
        case (Register.queueEnable, 2):
            if value == 1 { enable(index, &registers) }
            return
        case (Register.descriptorTable, 4), (Register.descriptorTable, 8):
            layout.descriptorTable = layout.descriptorTable.writing(
                value, offset: offset - Register.descriptorTable.lowerBound, width: width)
        case (Register.availableRing, 4), (Register.availableRing, 8):
            layout.availableRing = layout.availableRing.writing(
                value, offset: offset - Register.availableRing.lowerBound, width: width)
        case (Register.usedRing, 4), (Register.usedRing, 8):
            layout.usedRing = layout.usedRing.writing(
                value, offset: offset - Register.usedRing.lowerBound, width: width)
        default: return
        }
        registers.queues[index].layout = layout
    }

    private func enable(_ index: Int, _ registers: inout TransportRegisters) {
        guard notifier.status.contains(.featuresOK), !notifier.status.contains(.driverOK) else {
            notifier.fail(
                "Queue \(index): It is enabled before features are agreed on, or too late")
            return
        }
        do throws(VirtqueueError) {
            try registers.queues[index].layout.validate(
                maximumSize: queues[index].maximumSize, in: memory)
            registers.queues[index].isEnabled = true
        } catch {
            notifier.fail("Queue \(index): \(error)")
        }
    }

    /// Takes a write of the status register: the steps of a driver's life with the device (virtio
    /// 1.2, section 3.1.1).
    private func setStatus(_ status: DeviceStatus, _ registers: inout TransportRegisters) {
        guard !status.isEmpty else {
            resetDevice(&registers)
            return
        }
        let before = notifier.status
        var accepted = before.union(status)
        if accepted.contains(.featuresOK), !before.contains(.featuresOK),
            !isAcceptable(registers.driverFeatures)
        {
            // The driver reads the status back and sees that the device does not agree.
            accepted.remove(.featuresOK)
        }
        let activates = accepted.contains(.driverOK) && !before.contains(.driverOK)
        if activates, !accepted.contains(.featuresOK) {
            notifier.fail("The driver starts before it has agreed on features")
            return
        }
        notifier.addStatus(accepted)
        if activates, !accepted.contains(.needsReset) { activate(registers, positions: [:]) }
    }

    private func isAcceptable(_ features: VirtioFeatures) -> Bool {
        features.isSubset(of: offeredFeatures) && features.contains(.version1)
    }

    private func resetDevice(_ registers: inout TransportRegisters) {
        let wasUsed = notifier.status.contains(.driverOK)
        device.reset()
        for queue in queues {
            queue.remove()
            queue.vector.store(MSIXTable.noVector, ordering: .relaxed)
        }
        registers = TransportRegisters(queueSizes: queues.map(\.maximumSize))
        notifier.reset()
        if wasUsed { notifier.tell(.reset) }
    }

    /// Hands the enabled queues to the device.
    ///
    /// - Parameter positions: where queues go on that were in use before a move, by number.
    func activate(
        _ registers: TransportRegisters, positions: [Int: Virtqueue.Position]
    ) {
        for (queue, settings) in zip(queues, registers.queues) where settings.isEnabled {
            do throws(VirtqueueError) {
                queue.install(
                    try Virtqueue(
                        layout: settings.layout, maximumSize: queue.maximumSize,
                        features: registers.driverFeatures,
                        position: positions[queue.index] ?? .start, memory: memory))
            } catch {
                notifier.fail("Queue \(queue.index): \(error)")
                return
            }
        }
        device.activate(
            DeviceActivation(
                features: registers.driverFeatures, queues: queues, notifier: notifier,
                memory: memory))
        notifier.tell(.activated)
    }
}
