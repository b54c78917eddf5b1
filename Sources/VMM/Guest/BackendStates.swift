import StateCoding

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
