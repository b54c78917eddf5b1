internal import LinuxSystem
internal import StateCoding

/// A tap that is open, with a descriptor for each queue pair.
///
/// A tap that did not exist before belongs to the guest: it goes with the process that runs it.
/// While it is handed from one process to the next it is persistent, until the guest runs there: so
/// it outlives the moment in which nobody has it open, and whoever gave it can have it back.
final class TapBackend: Sendable {
    /// One queue.
    final class Queue: Sendable {
        let tap: Tap

        init(_ tap: consuming Tap) {
            self.tap = tap
        }
    }

    /// Name of the interface.
    let name: String
    /// Whether it was created for the guest, by this process or one that had the guest before.
    let isCreated: Bool
    /// As many as the guest has queue pairs.
    let queues: [Queue]

    /// Opens the tap, or creates it.
    init(creating configuration: NetConfiguration) throws(SystemError) {
        let name = configuration.tap ?? ""
        let existed = !name.isEmpty && Self.exists(name)
        queues = try Self.open(name, configuration.queuePairs)
        self.name = queues.first?.tap.interface.name ?? name
        isCreated = !existed
        if isCreated {
            try setUp(configuration)
        } else {
            // A tap that somebody else has made is theirs to set up; they may have left that.
            try? NetworkInterface(name: self.name).bringUp()
        }
    }

    /// Opens a tap which another process has released.
    init(
        takingOver released: TapState, _ configuration: NetConfiguration
    ) throws(SystemError) {
        // On another host it may have to be made.
        let existed = Self.exists(released.name)
        queues = try Self.open(released.name, configuration.queuePairs)
        name = released.name
        isCreated = released.isCreated || !existed
        if !existed { try setUp(configuration) }
    }

    /// Lets the tap stay after it was closed, or not. Only for one that was created.
    func setPersistent(_ persistent: Bool) throws(SystemError) {
        guard isCreated, let queue = queues.first else { return }
        try queue.tap.setPersistent(persistent)
    }

    /// Lets packets through the first `count` queues and no others.
    func setActivePairs(_ count: Int) throws(SystemError) {
        guard queues.count > 1 else { return }
        for (index, queue) in queues.enumerated() where index > 0 {
            do throws(SystemError) {
                try queue.tap.setAttached(index < count)
            } catch {
                // It is as it should be already.
                guard error.errno == .invalidArgument else { throw error }
            }
        }
    }

    /// Sets what the host may leave to the driver.
    func set(_ offloads: Tap.Offloads) throws(SystemError) {
        for queue in queues {
            do throws(SystemError) {
                try queue.tap.set(offloads)
            } catch {
                // A kernel without packets of datagrams cuts them itself: the driver gets by.
                guard error.errno == .invalidArgument else { throw error }
                try queue.tap.set(offloads.subtracting(.datagramSegmentation))
            }
        }
    }

    private func setUp(_ configuration: NetConfiguration) throws(SystemError) {
        let interface = NetworkInterface(name: name)
        if let address = configuration.hostEthernetAddress?.bytes {
            try interface.setHardwareAddress([6 of UInt8] { address[$0] })
        }
        if let bytes = configuration.maximumTransmissionUnit {
            try interface.setMaximumTransmissionUnit(Int(bytes))
        }
        if let address = configuration.hostAddress {
            try interface.setAddress(
                [4 of UInt8] { address.bytes[$0] }, prefixLength: address.prefixLength)
        }
        try interface.bringUp()
    }

    private static func exists(_ name: String) -> Bool {
        (try? NetworkInterface(name: name).maximumTransmissionUnit) != nil
    }

    private static func open(_ name: String, _ count: Int) throws(SystemError) -> [Queue] {
        let first = Queue(try Tap(name: name, multipleQueues: count > 1))
        var queues = [first]
        for _ in 1..<max(count, 1) {
            queues.append(
                Queue(try Tap(name: first.tap.interface.name, multipleQueues: true)))
        }
        return queues
    }
}

/// What the next process must know of a tap that was released.
struct TapState: VersionedState, Hashable {
    static let name = "tap"
    static let version: UInt16 = 1

    let name: String
    let isCreated: Bool

    init(name: String, isCreated: Bool) {
        self.name = name
        self.isCreated = isCreated
    }

    func encode(into writer: inout StateWriter) {
        writer.appendString(name)
        writer.append(isCreated)
    }

    init(from reader: inout StateReader, version: UInt16) throws(StateError) {
        name = try reader.readString()
        isCreated = try reader.readBool()
        guard (1...15).contains(name.utf8.count) else {
            throw reader.invalid("the name of the tap has \(name.utf8.count) bytes")
        }
    }
}
