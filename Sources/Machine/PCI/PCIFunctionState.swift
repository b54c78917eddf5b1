public import StateCoding

/// The saved configuration space of a function. Addresses, decoding and masks are in its bytes.
public struct PCIFunctionState: VersionedState {
    /// Names the kind of component.
    public static let name = "pci-function"
    /// The layout that is written.
    public static let version: UInt16 = 1

    let bytes: [UInt8]

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Writes all bytes.
    public func encode(into writer: inout StateWriter) {
        writer.appendFixed(bytes)
    }

    /// Reads all bytes; that they fit the function is checked when they are put into it.
    public init(from reader: inout StateReader, version: UInt16) throws(StateError) {
        bytes = try reader.readFixed(count: ConfigurationSpace.size)
    }
}
