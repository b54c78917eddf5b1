import Machine
import Synchronization
import Virtio

/// The virtio devices of one guest, moved through their lives together: a step that fails in one is
/// undone in those before it.
///
/// Only the owner of the guest takes steps, adds and removes; the owner changes when the guest is
/// handed to the thread of a migration and back. What any vCPU may do at any moment is to eject a
/// device: then it is only marked, and takes no further step but to stand still and to let go.
final class DeviceSet: Sendable {
    /// A device with its place.
    struct Member: Sendable {
        let device: any VirtioDevice
        /// Its slot on the PCI bus.
        let slot: Int
        /// Whether the guest has ejected it.
        fileprivate(set) var isEjected = false

        init(_ device: any VirtioDevice, slot: Int) {
            self.device = device
            self.slot = slot
        }

        /// Whether a guest can do without it: the other kinds are part of every guest, or fixed by
        /// its configuration.
        var isRemovable: Bool {
            switch device.kind {
            case .block, .network: true
            case .console, .entropy: false
            }
        }
    }

    private let state: Mutex<[Member]>

    /// The devices that a guest is built with.
    init(_ members: [Member]) {
        state = Mutex(members)
    }

    /// All devices, in the order in which they came.
    var members: [Member] { state.withLock { $0 } }

    /// The devices that take steps.
    private var devices: [any VirtioDevice] {
        members.compactMap { $0.isEjected ? nil : $0.device }
    }

    /// Adds a device that was brought as far as the others.
    func add(_ member: Member) {
        state.withLock { $0.append(member) }
    }

    /// Takes a device out, whatever it has been through.
    @discardableResult
    func remove(slot: Int) -> Member? {
        state.withLock { members in
            guard let index = members.firstIndex(where: { $0.slot == slot }) else { return nil }
            return members.remove(at: index)
        }
    }

    /// The guest has ejected the device in a slot, here or before it came. The device forgets its
    /// driver and stands still: no request is in work when this returns.
    func eject(slot: Int) {
        let ejected = state.withLock { members -> (any VirtioDevice)? in
            guard let index = members.firstIndex(where: { $0.slot == slot }) else { return nil }
            members[index].isEjected = true
            return members[index].device
        }
        ejected?.quiesce()
        ejected?.reset()
    }

    /// Opens what can be held while another process still runs the guest.
    func bind() throws(DeviceError) {
        try forAll(undo: { $0.letGo() }) { (device) throws(DeviceError) in try device.bind() }
    }

    /// Takes what only one process can have.
    ///
    /// - Parameter states: what the source's release gave, by device; nil at boot.
    func takeOver(_ states: [String: [UInt8]]?) throws(DeviceError) {
        try forAll(undo: { $0.letGo() }) { (device) throws(DeviceError) in
            try device.takeOver(states.map { $0[device.identifier] ?? [] })
        }
    }

    /// Lets all serve requests.
    func resume() throws(DeviceError) {
        try forAll(undo: { $0.quiesce() }) { (device) throws(DeviceError) in
            try device.resume()
        }
    }

    /// Stops all; no request is in work when this returns.
    func quiesce() {
        for member in members { member.device.quiesce() }
    }

    /// Does ahead of `release` what would take long, while the guest runs.
    func prepareRelease() {
        for device in devices { device.prepareRelease() }
    }

    /// Lets go of what only one process can have.
    ///
    /// - Returns: what the process that takes over must know, by device.
    func release() throws(DeviceError) -> [(identifier: String, state: [UInt8])] {
        var states: [(identifier: String, state: [UInt8])] = []
        // The next statement's own failure is what is reported; one of taking back would hide it.
        try forAll(undo: { try? $0.reclaim() }) { (device) throws(DeviceError) in
            states.append((device.identifier, try device.release()))
        }
        return states
    }

    /// Takes back what `release` let go. All are tried, so that as many as possible are back.
    func reclaim() throws(DeviceError) {
        var failure: DeviceError?
        for device in devices {
            do throws(DeviceError) {
                try device.reclaim()
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
    }

    /// Lets go of everything.
    func letGo() {
        for member in members { member.device.letGo() }
    }

    /// Tells the world that the guest is here, if it does not know that.
    func announce() {
        for device in devices { device.announce() }
    }

    /// What all have counted: the device's name, then the counter's.
    var counters: [String: [String: UInt64]] {
        var counters: [String: [String: UInt64]] = [:]
        for device in devices where !device.counters.isEmpty {
            counters[device.identifier] = Dictionary(
                device.counters.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
        }
        return counters
    }

    private func forAll(
        undo: (any VirtioDevice) -> Void, _ step: (any VirtioDevice) throws(DeviceError) -> Void
    ) throws(DeviceError) {
        let devices = devices
        for (index, device) in devices.enumerated() {
            do throws(DeviceError) {
                try step(device)
            } catch {
                for done in devices[..<index].reversed() { undo(done) }
                throw error
            }
        }
    }
}
