/// Integers on the wire: little-endian at any offset, read and written byte by byte, so that
/// nothing depends on alignment or on the host's byte order.
extension Span<UInt8> {
    /// The integer at `offset`. The caller has checked that it lies inside the span.
    func littleEndian<Value: UnsignedInteger & FixedWidthInteger>(
        at offset: Int, as type: Value.Type = Value.self
    ) -> Value {
        var value: Value = 0
        for index in 0..<(Value.bitWidth / 8) {
            value |= Value(self[offset + index]) << (8 * index)
        }
        return value
    }
}

extension [UInt8] {
    /// Appends the bytes of `value`, lowest first.
    mutating func appendLittleEndian<Value: UnsignedInteger & FixedWidthInteger>(_ value: Value) {
        for index in 0..<(Value.bitWidth / 8) {
            append(UInt8(truncatingIfNeeded: value >> (8 * index)))
        }
    }
}
