public import GuestMemory
internal import LinuxSystem
public import Machine
internal import Synchronization

/// A virtio device as a PCI function: the modern transport of virtio 1.2, section 4.1.
///
/// It owns the queues' doorbells and vectors and what the driver has negotiated; the device behind
/// it serves the queues.
public final class VirtioPCITransport: PCIDevice {
    /// The device behind the transport.
    public let device: any VirtioDevice
    /// The PCI function, with a vector for each queue and one for changes of configuration.
    public let function: PCIFunction

    let memory: GuestRAM
    let queues: [DeviceQueue]
    let notifier: DriverNotifier
    let registers: Mutex<TransportRegisters>
    private let doorbells: Doorbells
    /// Where the doorbells are attached.
    private let doorbellBase = Mutex<UInt64?>(nil)
    /// Offset of the capability for access through configuration space.
    let accessCapability: Int

    /// Puts a transport around a device. It is on no bus yet.
    ///
    /// - Parameters:
    ///   - device: not used by another transport.
    ///   - memory: where the driver's queues are.
    ///   - router: gives the interrupts.
    ///   - doorbells: turn the driver's notifications into events.
    ///   - report: told what happens to the device, from any thread; must not wait.
    public init(
        device: any VirtioDevice, memory: GuestRAM, router: InterruptRouter,
        doorbells: Doorbells, report: @escaping @Sendable (DeviceEvent) -> Void
    ) throws(InterruptError) {
        let sizes = device.queueSizes
        precondition(sizes.count <= VirtioPCILayout.maximumQueueCount)
        self.device = device
        self.memory = memory
        self.doorbells = doorbells
        do throws(SystemError) {
            var queues: [DeviceQueue] = []
            for (index, size) in sizes.enumerated() {
                queues.append(try DeviceQueue(index: index, maximumSize: size))
            }
            self.queues = queues
        } catch {
            throw .system(error)
        }
        let table = try MSIXTable(count: sizes.count + 1, router: router) { error in
            report(.note("Its interrupts cannot be routed: \(error)"))
        }
        notifier = DriverNotifier(raise: { table.raise($0) }, report: report)
        var space = ConfigurationSpace(
            identity: device.kind.identity, baseAddresses: [VirtioPCILayout.range])
        accessCapability = VirtioPCILayout.appendCapabilities(to: &space)
        let place = MSIXPlace(
            register: VirtioPCILayout.range.index,
            tableOffset: UInt32(VirtioPCILayout.vectors.lowerBound),
            pendingOffset: UInt32(VirtioPCILayout.pending.lowerBound))
        function = PCIFunction(space: space, msix: (table, place))
        registers = Mutex(TransportRegisters(queueSizes: sizes))
    }

    /// The device's name.
    public var identifier: String { device.identifier }

    /// All features that a driver can agree to.
    var offeredFeatures: VirtioFeatures { device.features.union(.ofAllDevices) }

    /// The vector that a driver may name, or none.
    func validVector(_ value: UInt64) -> UInt16 {
        let vector = UInt16(truncatingIfNeeded: value)
        return Int(vector) <= queues.count ? vector : MSIXTable.noVector
    }
}

/// The memory range of the function.
extension VirtioPCITransport: BusDevice {
    /// Reads a register of one of the structures.
    public func read(offset: UInt64, width: Int) -> UInt64 {
        switch offset {
        case VirtioPCILayout.common:
            return readCommon(Int(offset), width)
        case VirtioPCILayout.interruptStatus:
            // Reading it acknowledges all that it says.
            return UInt64(notifier.interruptStatus.exchange(0, ordering: .acquiringAndReleasing))
        case VirtioPCILayout.device:
            return device.readConfiguration(
                offset: Int(offset - VirtioPCILayout.device.lowerBound), width: width)
        case VirtioPCILayout.vectors:
            return function.msix?.read(
                offset: offset - VirtioPCILayout.vectors.lowerBound, width: width) ?? 0
        case VirtioPCILayout.pending:
            return function.msix?.readPending(
                offset: offset - VirtioPCILayout.pending.lowerBound, width: width) ?? 0
        default:
            return 0
        }
    }

    /// Writes a register of one of the structures.
    public func write(offset: UInt64, width: Int, value: UInt64) {
        switch offset {
        case VirtioPCILayout.common:
            writeCommon(Int(offset), width, value)
        case VirtioPCILayout.device:
            device.writeConfiguration(
                offset: Int(offset - VirtioPCILayout.device.lowerBound), width: width,
                value: value)
        case VirtioPCILayout.notification:
            // Only notifications that no doorbell has taken come here.
            let index = Int(
                (offset - VirtioPCILayout.notification.lowerBound)
                    / VirtioPCILayout.notificationStride)
            if queues.indices.contains(index) { queues[index].doorbell.signal() }
        case VirtioPCILayout.vectors:
            function.msix?.write(
                offset: offset - VirtioPCILayout.vectors.lowerBound, width: width, value: value)
        default:
            break
        }
    }

    /// The transport answers itself.
    public func device(behind register: BaseAddressRegister) -> (any BusDevice)? { self }

    /// The doorbells move with the range.
    public func rangeMoved(_ register: BaseAddressRegister, to address: UInt64?) {
        doorbellBase.withLock { base in
            if let base { forEachDoorbell(at: base, doorbells.detach) }
            base = address
            if let base { forEachDoorbell(at: base, doorbells.attach) }
        }
    }

    private func forEachDoorbell(
        at base: UInt64,
        _ body: (borrowing EventDescriptor, Doorbell) throws(InterruptError) -> Void
    ) {
        for queue in queues {
            let address =
                base + VirtioPCILayout.notification.lowerBound
                + VirtioPCILayout.notificationStride * UInt64(queue.index)
            do throws(InterruptError) {
                try body(queue.doorbell, Doorbell(address: address, width: 2))
            } catch {
                notifier.tell(
                    .note("A doorbell of queue \(queue.index) is slow: \(error)"))
            }
        }
    }
}

/// Configuration space, in which one capability is a second way to the memory range.
extension VirtioPCITransport {
    private var accessData: Range<Int> { (accessCapability + 16)..<(accessCapability + 20) }

    /// Reads configuration space.
    public func readConfiguration(offset: Int, width: Int) -> UInt32 {
        if offset == accessData.lowerBound, let (place, length) = accessTarget() {
            return UInt32(truncatingIfNeeded: read(offset: place, width: length))
        }
        return function.readConfiguration(offset: offset, width: width)
    }

    /// Writes configuration space.
    public func writeConfiguration(offset: Int, width: Int, value: UInt32) {
        if offset == accessData.lowerBound, let (place, length) = accessTarget() {
            write(offset: place, width: length, value: UInt64(value))
        } else {
            function.writeConfiguration(offset: offset, width: width, value: value)
        }
    }

    /// What the driver has chosen in the capability; nil unless it is an aligned part of the range.
    private func accessTarget() -> (offset: UInt64, width: Int)? {
        let register = function.readConfiguration(offset: accessCapability + 4, width: 1)
        let offset = UInt64(function.readConfiguration(offset: accessCapability + 8, width: 4))
        let length = UInt64(function.readConfiguration(offset: accessCapability + 12, width: 4))
        guard register == UInt32(VirtioPCILayout.range.index), [1, 2, 4].contains(length),
            offset.isMultiple(of: length), offset < VirtioPCILayout.range.size
        else { return nil }
        return (offset, Int(length))
    }
}
