import Machine
import StateCoding
import Virtio

/// The virtio devices of one guest, in the order of their slots, moved through their lives
/// together: a step that fails in one is undone in those before it.
struct DeviceSet: Sendable {
    let devices: [any VirtioDevice]

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
        for device in devices { device.quiesce() }
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
        for device in devices { device.letGo() }
    }

    /// Tells the world where the guest is now.
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

/// The back-end states of all devices as they travel with Takeover.
enum BackendStates {
    private static let version: UInt16 = 1

    /// Writes one component for each device.
    static func encode(_ states: [(identifier: String, state: [UInt8])]) -> [UInt8] {
        var writer = StateWriter()
        writer.appendCount(states.count)
        for (identifier, state) in states {
            writer.component(identifier, version: version) { $0.appendBytes(state) }
        }
        return writer.bytes
    }

    /// Reads what `encode` wrote, by device. Empty bytes, as a base-protocol source sends, mean
    /// that no device has any.
    static func decode(_ bytes: [UInt8]) throws(StateError) -> [String: [UInt8]] {
        guard !bytes.isEmpty else { return [:] }
        var reader = StateReader(bytes)
        var states: [String: [UInt8]] = [:]
        for _ in 0..<(try reader.readCount(elementSize: 1)) {
            var component = try reader.readComponent()
            guard component.version == version else {
                throw .unsupportedVersion(
                    component: component.reader.path, version: component.version, newest: version)
            }
            guard states[component.name] == nil else {
                throw reader.invalid("the device \(component.name) is there twice")
            }
            states[component.name] = try component.reader.readBytes()
            try component.reader.finish()
        }
        try reader.finish()
        return states
    }
}
