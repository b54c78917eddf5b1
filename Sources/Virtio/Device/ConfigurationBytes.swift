/// The bytes of a device's configuration, for reads of any width.
struct ConfigurationBytes {
    private var bytes: [UInt8]

    /// Zeros.
    init(count: Int) {
        bytes = Array(repeating: 0, count: count)
    }

    /// Puts a little-endian integer at an offset that the structure has.
    mutating func set<Value: FixedWidthInteger>(_ value: Value, at offset: Int) {
        for index in 0..<(Value.bitWidth / 8) {
            bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index))
        }
    }

    /// Reads 1 to 8 bytes; those beyond the structure are 0.
    func read(offset: Int, width: Int) -> UInt64 {
        var value: UInt64 = 0
        for index in 0..<min(max(width, 0), 8) where bytes.indices.contains(offset + index) {
            value |= UInt64(bytes[offset + index]) << UInt64(8 * index)
        }
        return value
    }
}
