/// Builds a table for the guest from little-endian fields at given offsets.
struct ByteWriter {
    private(set) var bytes: [UInt8]

    /// `count` zeros to begin with.
    init(count: Int) {
        bytes = [UInt8](repeating: 0, count: count)
    }

    /// Writes a field; it must lie inside.
    mutating func put<Value: FixedWidthInteger & UnsignedInteger>(_ value: Value, at offset: Int) {
        for index in 0..<(Value.bitWidth / 8) {
            bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index))
        }
    }

    /// Writes a run of bytes; it must lie inside.
    mutating func put(_ contents: [UInt8], at offset: Int) {
        bytes.replaceSubrange(offset..<(offset + contents.count), with: contents)
    }
}
