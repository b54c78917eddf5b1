/// Collects AML, the byte code of ACPI (ACPI 6.5, chapter 20).
struct AMLWriter {
    private(set) var bytes: [UInt8] = []

    mutating func append(_ byte: UInt8) {
        bytes.append(byte)
    }

    mutating func append(_ more: [UInt8]) {
        bytes += more
    }

    /// The little-endian bytes of a number.
    mutating func append<Value: FixedWidthInteger & UnsignedInteger>(number: Value) {
        for index in 0..<(Value.bitWidth / 8) {
            bytes.append(UInt8(truncatingIfNeeded: number >> (8 * index)))
        }
    }

    /// A term with its length in front, which counts itself (section 20.2.4).
    mutating func appendPackage(_ opcode: [UInt8], _ body: (inout AMLWriter) -> Void) {
        var inner = AMLWriter()
        body(&inner)
        bytes += opcode
        var width = 1
        while inner.bytes.count + width > Self.largestLength(width) { width += 1 }
        appendLength(inner.bytes.count + width, width: width)
        bytes += inner.bytes
    }

    /// A number in the form of a length, as fields have for their bits.
    mutating func appendLength(_ length: Int) {
        var width = 1
        while length > Self.largestLength(width) { width += 1 }
        appendLength(length, width: width)
    }

    private mutating func appendLength(_ length: Int, width: Int) {
        precondition(width <= 4, "a term of 256 MiB or more")
        guard width > 1 else {
            bytes.append(UInt8(length))
            return
        }
        // Bits 7 and 6 count the bytes that follow, bits 3 to 0 are the lowest of the length.
        bytes.append(UInt8(width - 1) << 6 | UInt8(length & 0xf))
        for index in 0..<(width - 1) {
            bytes.append(UInt8(truncatingIfNeeded: length >> (4 + 8 * index)))
        }
    }

    private static func largestLength(_ width: Int) -> Int {
        width == 1 ? 0x3f : (1 << (4 + 8 * (width - 1))) - 1
    }
}
