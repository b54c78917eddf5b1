/// The saved state of one component: a plain value which can be written and read again.
///
/// The layout of a version never changes once released. A new field means a new version, and
/// `init(from:version:)` goes on to read the old ones.
public protocol VersionedState {
    /// The kind of component, unique among its siblings; never changes.
    static var name: String { get }
    /// The version that `encode(into:)` writes. Versions count from 1.
    static var version: UInt16 { get }

    /// Writes all fields in the layout of `Self.version`.
    func encode(into writer: inout StateWriter)

    /// Reads all fields and checks each of them.
    ///
    /// - Parameters:
    ///   - reader: Covers exactly this component; bytes left unread are an error of the caller's.
    ///   - version: The version that was written, from 1 to `Self.version`.
    init(from reader: inout StateReader, version: UInt16) throws(StateError)
}

extension StateWriter {
    /// Appends `state` as a component with its own name and version.
    public mutating func append<State: VersionedState>(_ state: State) {
        component(State.name, version: State.version) { writer in state.encode(into: &writer) }
    }
}

extension StateReader {
    /// Reads the next component, which must be of the kind `State`, to its last byte.
    public mutating func read<State: VersionedState>(
        _ type: State.Type = State.self
    ) throws(StateError) -> State {
        var component = try readComponent()
        guard component.name == State.name else {
            throw .unexpectedComponent(component: component.reader.path, expected: State.name)
        }
        guard (1...State.version).contains(component.version) else {
            throw .unsupportedVersion(
                component: component.reader.path, version: component.version,
                newest: State.version)
        }
        let state = try State(from: &component.reader, version: component.version)
        try component.reader.finish()
        return state
    }
}
