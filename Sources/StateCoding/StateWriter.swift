/// Writes the state of components as compact little-endian bytes.
///
/// Integers have their own width and no padding. A byte array or text is preceded by its length as
/// a `UInt64`. A component is its name (a text), its version (`UInt16`), the length of its contents
/// (`UInt64`) and its contents, in which further components may nest.
///
/// Writing cannot fail, and nothing is aligned. It happens while no vCPU runs, so reserve capacity
/// once where the size is known.
public struct StateWriter: Sendable {
    /// All that was written so far.
    public private(set) var bytes: [UInt8] = []

    /// An empty writer with room for `capacity` bytes.
    public init(reservingCapacity capacity: Int = 0) {
        bytes.reserveCapacity(capacity)
    }

    /// Appends one byte.
    public mutating func append(_ value: UInt8) {
        bytes.append(value)
    }

    /// Appends two bytes.
    public mutating func append(_ value: UInt16) {
        appendLittleEndian(value)
    }

    /// Appends four bytes.
    public mutating func append(_ value: UInt32) {
        appendLittleEndian(value)
    }

    /// Appends eight bytes.
    public mutating func append(_ value: UInt64) {
        appendLittleEndian(value)
    }

    /// Appends eight bytes in two's complement.
    public mutating func append(_ value: Int64) {
        appendLittleEndian(UInt64(bitPattern: value))
    }

    /// Appends one byte, 1 for true.
    public mutating func append(_ value: Bool) {
        bytes.append(value ? 1 : 0)
    }

    /// Appends the number of elements that follow.
    public mutating func appendCount(_ count: Int) {
        appendLittleEndian(UInt64(count))
    }

    /// Appends the length of `contents` and then its bytes.
    public mutating func appendBytes(_ contents: some Collection<UInt8>) {
        appendCount(contents.count)
        bytes.append(contentsOf: contents)
    }

    /// Appends the bytes of `contents` without their length, which the reader knows.
    public mutating func appendFixed(_ contents: some Collection<UInt8>) {
        bytes.append(contentsOf: contents)
    }

    /// Appends the length of `text` in UTF-8 and then its bytes.
    public mutating func appendString(_ text: String) {
        appendBytes(text.utf8)
    }

    /// Appends a component whose contents `body` writes.
    ///
    /// - Parameters:
    ///   - name: What the reader knows the component by, for instance the identifier of a device.
    ///   - version: The version of its layout.
    public mutating func component<Failure: Error>(
        _ name: String, version: UInt16, body: (inout StateWriter) throws(Failure) -> Void
    ) throws(Failure) {
        appendString(name)
        append(version)
        let lengthOffset = bytes.count
        append(0 as UInt64)
        let contentsOffset = bytes.count
        try body(&self)
        let length = UInt64(bytes.count - contentsOffset)
        for index in 0..<8 {
            bytes[lengthOffset + index] = UInt8(truncatingIfNeeded: length >> (8 * index))
        }
    }

    private mutating func appendLittleEndian<Value: UnsignedInteger & FixedWidthInteger>(
        _ value: Value
    ) {
        for index in 0..<(Value.bitWidth / 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> (8 * index)))
        }
    }
}
