internal import Machine
internal import Synchronization

/// What a device tells its driver: interrupts, changes of its configuration, and that it cannot go
/// on. Shared by the transport and the device's threads, any of which may call.
public final class DriverNotifier: Sendable {
    /// Bits of the interrupt status register.
    enum InterruptStatus {
        static let queue: UInt8 = 1
        static let configuration: UInt8 = 2
    }

    private let statusBits = Atomic<UInt8>(0)
    let interruptStatus = Atomic<UInt8>(0)
    let configurationVector = Atomic<UInt16>(MSIXTable.noVector)
    /// Changes with the device's configuration, so that a driver can read it in several parts.
    let configurationGeneration = Atomic<UInt8>(0)
    /// A driver may reset the device and do it again.
    private let failures = FailureReport()
    private let raise: @Sendable (_ vector: UInt16) -> Void
    private let report: @Sendable (DeviceEvent) -> Void

    /// A notifier for one device.
    ///
    /// - Parameters:
    ///   - raise: raises the interrupt of a vector.
    ///   - report: told what happens to the device, from any thread; must not wait.
    public init(
        raise: @escaping @Sendable (_ vector: UInt16) -> Void,
        report: @escaping @Sendable (DeviceEvent) -> Void
    ) {
        self.raise = raise
        self.report = report
    }

    /// How far the driver has come.
    public var status: DeviceStatus {
        DeviceStatus(rawValue: statusBits.load(ordering: .acquiring))
    }

    /// Adds to the status. A driver takes no bit back but by a reset, and the device may need one
    /// at any moment.
    func addStatus(_ status: DeviceStatus) {
        statusBits.bitwiseOr(status.rawValue, ordering: .acquiringAndReleasing)
    }

    /// Raises the interrupt of a queue with returned requests.
    func interrupt(_ queue: DeviceQueue) {
        interruptStatus.bitwiseOr(InterruptStatus.queue, ordering: .releasing)
        raise(queue.vector.load(ordering: .relaxed))
    }

    /// Tells the driver that the device's configuration is another one now.
    public func configurationChanged() {
        configurationGeneration.wrappingAdd(1, ordering: .releasing)
        guard status.contains(.driverOK) else { return }
        interruptStatus.bitwiseOr(InterruptStatus.configuration, ordering: .releasing)
        raise(configurationVector.load(ordering: .relaxed))
    }

    /// Stops the device until its driver resets it.
    ///
    /// - Parameter reason: a sentence for the log.
    public func fail(_ reason: String) {
        let before = statusBits.bitwiseOr(
            DeviceStatus.needsReset.rawValue, ordering: .acquiringAndReleasing)
        guard !DeviceStatus(rawValue: before.oldValue).contains(.needsReset) else { return }
        if let text = failures.text(reason) { report(.failed(reason: text)) }
        configurationChanged()
    }

    /// Forgets the driver.
    func reset() {
        interruptStatus.store(0, ordering: .relaxed)
        configurationVector.store(MSIXTable.noVector, ordering: .relaxed)
        statusBits.store(0, ordering: .releasing)
    }

    /// Goes on with a driver that was served elsewhere.
    func restore(_ state: VirtioPCIState) {
        interruptStatus.store(state.interruptStatus, ordering: .relaxed)
        configurationVector.store(state.configurationVector, ordering: .relaxed)
        configurationGeneration.store(state.configurationGeneration, ordering: .relaxed)
        statusBits.store(state.status.rawValue, ordering: .releasing)
    }

    /// Tells the device's owner of something.
    public func tell(_ event: DeviceEvent) {
        report(event)
    }
}
