/// Something about a device that its owner wants to log or to tell others.
public enum DeviceEvent: Hashable, Sendable {
    /// The driver has begun to use the device.
    case activated
    /// The driver has reset the device.
    case reset
    /// The driver did something that the device cannot go on after; it waits for a reset.
    case failed(reason: String)
    /// Something behind the device went wrong, and the driver was told so.
    case backendFailed(reason: String)
    /// A choice that a reader of the log wants to know.
    case note(String)
}
