import ControlAPI
import GuestMemory
import LinuxSystem
import Logging
import Machine
import StateCoding
import Virtio

/// The machine as the migration engines see it.
extension KVMGuest: GuestHardware {
    /// The components of the state, in their order.
    static var components: [ComponentVersion] {
        Platform.components + DeviceFactory.components
    }

    func describe() throws(HardwareError) -> GuestDescription {
        GuestDescription(
            configuration: JSONBody.encode(configuration), cpuid: platform.cpuid.entries,
            registers: platform.featureRegisters, regions: memory.layouts,
            components: Self.components)
    }

    func prepareToLeave() {
        devices.prepareRelease()
    }

    func prepareMemory(_ memory: ArrivingMemory) {
        mapper.begin(memory)
    }

    var pendingEvent: GuestEvent? { platform.pendingEvent }

    func startDirtyTracking() throws(HardwareError) {
        try hardware(.trackDirtyPages) { try platform.startDirtyLog() }
        // What devices wrote before is not part of the record.
        var before = PageSet(layouts: memory.layouts)
        memory.collectDirtyPages(into: &before)
    }

    func collectDirtyPages(into pages: inout PageSet) throws(HardwareError) {
        do throws(PlatformError) {
            try platform.collectDirtyLog(into: &pages)
        } catch {
            throw HardwareError(.trackDirtyPages, cause: error)
        }
        memory.collectDirtyPages(into: &pages)
    }

    func forgetDirtyPages(
        _ range: Range<Int>, of set: borrowing PageSet, inRegion index: Int
    ) throws(HardwareError) {
        memory.forgetDirtyPages(range, of: set, inRegion: index)
        do throws(PlatformError) {
            try platform.forgetDirtyPages(range, of: set, inRegion: index)
        } catch {
            throw HardwareError(.trackDirtyPages, cause: error)
        }
    }

    func throttle(percent: Int) throws(HardwareError) {
        try hardware(.trackDirtyPages) { try platform.throttle(percent: percent) }
    }

    func stopDirtyTracking() {
        platform.stopDirtyLog()
    }

    func stop() throws(HardwareError) {
        // The vCPUs first: then no request is begun any more, and the devices can be drained.
        try hardware(.stop) { try platform.pause() }
        devices.quiesce()
        do throws(InterruptError) {
            try platform.interrupts.drain()
        } catch {
            try start()
            throw HardwareError(.stop, cause: error)
        }
    }

    func start() throws(HardwareError) {
        try hardware(.start) { try devices.resume() }
        do throws(PlatformError) {
            try platform.start()
        } catch {
            devices.quiesce()
            throw HardwareError(.start, cause: error)
        }
        // Only now the guest runs here.
        devices.announce()
    }

    func saveState() throws(HardwareError) -> [UInt8] {
        var writer = StateWriter(reservingCapacity: 64 << 10)
        do throws(PlatformError) {
            try platform.save(into: &writer)
        } catch {
            throw HardwareError(.saveState, cause: error)
        }
        configurationPorts.save(into: &writer)
        bus.save(into: &writer)
        return writer.bytes
    }

    func rehearseRestore() throws(HardwareError) -> UInt64 {
        // Processors and chips only, which take nearly all of the time: devices would be bound.
        let start = MonotonicInstant.now
        var writer = StateWriter(reservingCapacity: 64 << 10)
        try hardware(.configure) {
            try platform.save(into: &writer)
            var reader = StateReader(writer.bytes)
            try platform.load(from: &reader)
        }
        return MonotonicInstant.now.nanoseconds(since: start)
    }

    func loadState(_ state: [UInt8]) throws(HardwareError) {
        mapper.end()
        var reader = StateReader(state)
        try hardware(.loadState) {
            let skipped = try platform.load(from: &reader)
            if !skipped.isEmpty {
                environment.logger.debug(
                    "vCPU registers unknown here and unused by the guest: \(skipped)")
            }
            try configurationPorts.load(from: &reader)
            try bus.load(from: &reader)
            try checkReset()
            // What the guest ejected on its way is never opened here.
            for slot in bus.slots(in: .ejected) { devices.eject(slot: slot) }
            try reader.finish()
            try bindSerialPort()
            try devices.bind()
            noteTerminals()
        }
    }

    /// A guest that comes to be reset must not be lost for lack of a kernel here: its source, which
    /// is told, has one.
    private func checkReset() throws(GuestError) {
        guard pendingEvent == .reset, let reason = whyNotRestartable else { return }
        throw .machine("The guest resets itself, and \(reason)")
    }

    func release() throws(HardwareError) -> [UInt8] {
        let states = try hardware(.release) { BackendStates.encode(try devices.release()) }
        platform.serial.release()
        return states
    }

    func reclaim() throws(HardwareError) {
        try hardware(.reclaim) {
            try devices.reclaim()
            try platform.serial.reclaim()
        }
    }

    func takeOver(_ backendState: [UInt8]) throws(HardwareError) {
        try hardware(.takeOver) {
            try devices.takeOver(try BackendStates.decode(backendState))
            try platform.serial.takeOver()
            try platform.loadLate()
        }
    }

    func letGo() {
        mapper.end()
        devices.letGo()
        platform.serial.unbind()
    }

    /// Names the operation in an error of the layers below.
    private func hardware<Value>(
        _ operation: HardwareError.Operation, _ body: () throws -> Value
    ) throws(HardwareError) -> Value {
        do {
            return try body()
        } catch {
            throw HardwareError(operation, cause: error)
        }
    }
}
