public import GuestMemory

/// What a device works with while a driver uses it.
public struct DeviceActivation: Sendable {
    /// The features that driver and device have agreed on.
    public let features: VirtioFeatures
    /// All queues of the device, those included that the driver has left out.
    public let queues: [DeviceQueue]
    /// Reaches the driver.
    public let notifier: DriverNotifier
    /// The guest's RAM.
    public let memory: GuestRAM
}
