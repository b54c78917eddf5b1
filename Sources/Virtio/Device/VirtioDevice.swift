public import StateCoding

/// The kinds of virtio devices here, with the numbers of the specification (virtio 1.2, section 5).
public enum VirtioDeviceKind: UInt16, Hashable, Sendable, CaseIterable {
    /// A network interface.
    case network = 1
    /// A disk.
    case block = 2
    /// A console.
    case console = 3
    /// A source of random bytes.
    case entropy = 4
}

/// A number that a device counts, for `vm.counters`.
public struct DeviceCounter: Hashable, Sendable {
    /// Its name, such as "read_bytes".
    public let name: String
    /// Its value since the device was built.
    public let value: UInt64

    /// A counter with its value.
    public init(_ name: String, _ value: UInt64) {
        self.name = name
        self.value = value
    }
}

/// A virtio device behind a transport.
///
/// It is made of its configuration alone: making it opens nothing. What is behind it (a file, a
/// tap) comes in two steps, the same at boot and at the destination of a migration:
///
///     made -> bind -> takeOver -> resume <-> quiesce
///
/// and, while it stands still, goes by `release` and may come back by `reclaim`. A driver may come
/// (`activate`) and go (`reset`) at any time between. Requests are served only while a driver is
/// there and the owner has resumed the device.
///
/// Each kind answers every question here itself: there are no defaults that a new kind could
/// inherit without a thought.
public protocol VirtioDevice: AnyObject, Sendable {
    /// The name of the device, unique in a guest, such as "_disk0".
    var identifier: String { get }
    /// What it is.
    var kind: VirtioDeviceKind { get }
    /// The features of its kind that it offers.
    var features: VirtioFeatures { get }
    /// The largest size of each of its queues.
    var queueSizes: [UInt16] { get }

    /// Reads 1, 2, 4 or 8 bytes of the configuration of its kind; what is not there reads as 0.
    func readConfiguration(offset: Int, width: Int) -> UInt64
    /// Writes to the configuration of its kind.
    func writeConfiguration(offset: Int, width: Int, value: UInt64)
    /// A driver uses the device from now on.
    func activate(_ activation: DeviceActivation)
    /// The driver has let go of the device, or the guest was reset. No request is in work when
    /// this returns.
    func reset()

    /// Opens what can be held while another process still runs the guest.
    func bind() throws(DeviceError)
    /// Takes what only one process can have: locks, taps.
    ///
    /// - Parameter backendState: what `release` returned at the source; nil at boot.
    func takeOver(_ backendState: [UInt8]?) throws(DeviceError)
    /// Lets the device serve requests.
    func resume() throws(DeviceError)
    /// Stops serving requests. None is in work when this returns; those that were not begun stay
    /// in the queues.
    func quiesce()
    /// Does ahead of `release` what would take long, while the guest runs: it will be moved soon.
    /// Best effort; `release` does all of it again.
    func prepareRelease()
    /// Lets go of what only one process can have; the device stands still.
    ///
    /// - Returns: what the process that takes over must know.
    func release() throws(DeviceError) -> [UInt8]
    /// Takes back what `release` let go.
    func reclaim() throws(DeviceError)
    /// Lets go of everything, so that the process which released it can have it back.
    func letGo()
    /// Tells the world that the guest is here, if it has arrived or was taken back since it was told
    /// last. The guest runs. Does not wait.
    func announce()

    /// Writes the state of its kind; queues and features are the transport's. It stands still.
    func save(into writer: inout StateWriter)
    /// Reads what `save` wrote into a device that no driver has used.
    func load(from reader: inout StateReader) throws(StateError)
    /// What it has counted.
    var counters: [DeviceCounter] { get }
}
