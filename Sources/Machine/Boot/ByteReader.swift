/// Little-endian fields at given offsets of a header, nil where the header ends before them.
struct ByteReader {
    let bytes: [UInt8]

    func integer<Value: FixedWidthInteger & UnsignedInteger>(
        _ type: Value.Type, at offset: Int
    ) -> Value? {
        let size = Value.bitWidth / 8
        guard offset >= 0, offset <= bytes.count, size <= bytes.count - offset else { return nil }
        var value: Value = 0
        for index in (0..<size).reversed() {
            value = value << 8 | Value(bytes[offset + index])
        }
        return value
    }
}
