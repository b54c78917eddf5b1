internal import StateCoding

extension StateReader {
    /// Reads a component that a device without state of its own writes, so that the place of each
    /// device in the state is checked all the same.
    mutating func readEmptyComponent(_ name: String) throws(StateError) {
        let component = try readComponent()
        guard component.name == name else {
            throw .unexpectedComponent(component: component.reader.path, expected: name)
        }
        guard component.version == 1 else {
            throw .unsupportedVersion(
                component: component.reader.path, version: component.version, newest: 1)
        }
        try component.reader.finish()
    }
}
