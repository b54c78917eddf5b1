/// A table of the guest's firmware with the header that all have in common.
///
/// Source: ACPI 6.5, section 5.2.6.
struct ACPITable {
    /// The length of the header.
    static let headerSize = 36

    private(set) var bytes: [UInt8]

    /// A table of `count` bytes, all zero behind the header.
    init(_ signature: String, revision: UInt8, count: Int = ACPITable.headerSize) {
        bytes = []
        bytes.reserveCapacity(count)
        bytes += Array(signature.utf8.prefix(4))
        bytes += [0, 0, 0, 0, revision, 0]  // length and checksum are filled in at the end
        bytes += Array("MARTLTMARTLET ".utf8)  // who made it, and for which machine
        bytes += [1, 0, 0, 0]
        bytes += Array("MRTL".utf8) + [1, 0, 0, 0]  // what it was made with
        bytes += [UInt8](repeating: 0, count: max(0, count - bytes.count))
    }

    /// Writes a field inside the table.
    mutating func put<Value: FixedWidthInteger & UnsignedInteger>(_ value: Value, at offset: Int) {
        for index in 0..<(Value.bitWidth / 8) {
            bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index))
        }
    }

    /// Writes an 8-bit register at a port as a generic address (section 5.2.3.2).
    mutating func put(port: UInt64, at offset: Int) {
        put(0x01 as UInt8, at: offset)  // system I/O
        put(8 as UInt8, at: offset + 1)  // bits
        put(0x01 as UInt8, at: offset + 3)  // accessed as a byte
        put(port, at: offset + 4)
    }

    /// Writes a run of bytes inside the table.
    mutating func put(_ contents: [UInt8], at offset: Int) {
        bytes.replaceSubrange(offset..<(offset + contents.count), with: contents)
    }

    /// Appends a run of bytes.
    mutating func append(_ contents: [UInt8]) {
        bytes += contents
    }

    /// Appends a number.
    mutating func append<Value: FixedWidthInteger & UnsignedInteger>(number: Value) {
        bytes += (0..<(Value.bitWidth / 8)).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }

    /// The table with its length and checksum.
    var finished: [UInt8] {
        var table = self
        table.put(UInt32(bytes.count), at: 4)
        table.put(Self.checksum(of: table.bytes), at: 9)
        return table.bytes
    }

    /// What makes the sum of all bytes 0.
    static func checksum(of bytes: [UInt8]) -> UInt8 {
        0 &- bytes.reduce(0, &+)
    }
}
