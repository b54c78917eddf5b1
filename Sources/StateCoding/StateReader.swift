/// Reads what a `StateWriter` wrote, field by field, trusting none of it.
///
/// No length or count is believed before it was compared with the bytes that are left, so what a
/// reader allocates is bounded by the size of its input. The input's own size is the caller's to
/// limit.
public struct StateReader: Sendable {
    /// The component that is read, as a path from the outermost one; for errors.
    public let path: String

    private let bytes: [UInt8]
    private var position: Int
    private let end: Int

    /// A reader of all of `bytes`.
    ///
    /// - Parameter name: What errors call the outermost component.
    public init(_ bytes: [UInt8], name: String = "guest") {
        self.bytes = bytes
        path = name
        position = 0
        end = bytes.count
    }

    private init(parent: StateReader, name: String, length: Int) {
        bytes = parent.bytes
        path = "\(parent.path)/\(name)"
        position = parent.position
        end = parent.position + length
    }

    /// The number of bytes not yet read.
    public var remaining: Int { end - position }

    /// Reads one byte.
    public mutating func readUInt8() throws(StateError) -> UInt8 {
        try readLittleEndian()
    }

    /// Reads two bytes.
    public mutating func readUInt16() throws(StateError) -> UInt16 {
        try readLittleEndian()
    }

    /// Reads four bytes.
    public mutating func readUInt32() throws(StateError) -> UInt32 {
        try readLittleEndian()
    }

    /// Reads eight bytes.
    public mutating func readUInt64() throws(StateError) -> UInt64 {
        try readLittleEndian()
    }

    /// Reads eight bytes in two's complement.
    public mutating func readInt64() throws(StateError) -> Int64 {
        Int64(bitPattern: try readLittleEndian())
    }

    /// Reads one byte, which must be 0 or 1.
    public mutating func readBool() throws(StateError) -> Bool {
        switch try readUInt8() {
        case 0: false
        case 1: true
        case let other: throw invalid("a truth value is \(other)")
        }
    }

    /// Reads how many elements follow.
    ///
    /// - Parameter elementSize: The fewest bytes that one element takes, at least 1. A count whose
    ///   elements cannot be there is an error, so that the caller may reserve room for all of them.
    public mutating func readCount(elementSize: Int) throws(StateError) -> Int {
        let count = try readUInt64()
        let (needed, overflow) = count.multipliedReportingOverflow(by: UInt64(max(elementSize, 1)))
        return try bounded(overflow ? .max : needed) / max(elementSize, 1)
    }

    /// Reads a length and that many bytes.
    public mutating func readBytes() throws(StateError) -> [UInt8] {
        try readFixed(count: bounded(readUInt64()))
    }

    /// Reads `count` bytes that have no length before them.
    public mutating func readFixed(count: Int) throws(StateError) -> [UInt8] {
        Array(bytes[try take(count)])
    }

    /// Reads a text.
    public mutating func readString() throws(StateError) -> String {
        let range = try take(bounded(readUInt64()))
        guard let text = String(validating: bytes[range], as: UTF8.self) else {
            throw .invalidText(component: path)
        }
        return text
    }

    /// A component within the state: its name, its version, and a reader of its contents only.
    public struct Component: Sendable {
        /// What the writer called it.
        public let name: String
        /// The version of its layout.
        public let version: UInt16
        /// Covers its contents; call `finish()` on it after the last field.
        public var reader: StateReader
    }

    /// Reads the next component's head and steps over its contents.
    public mutating func readComponent() throws(StateError) -> Component {
        let name = try readString()
        let version = try readUInt16()
        let length = try bounded(readUInt64())
        let contents = StateReader(parent: self, name: name, length: length)
        _ = try take(length)
        return Component(name: name, version: version, reader: contents)
    }

    /// Checks that every byte was read.
    public func finish() throws(StateError) {
        guard remaining == 0 else { throw .leftover(component: path, bytes: remaining) }
    }

    /// The error for a field whose value this component cannot have.
    ///
    /// - Parameter reason: Names the field and its value, without a full stop.
    public func invalid(_ reason: String) -> StateError {
        .invalidValue(component: path, reason: reason)
    }

    /// A length from the input as a number of bytes that are there.
    private func bounded(_ length: UInt64) throws(StateError) -> Int {
        guard let length = Int(exactly: length), length <= remaining else {
            throw .truncated(component: path, needed: length, available: remaining)
        }
        return length
    }

    /// Steps over `count` bytes and returns where they are.
    private mutating func take(_ count: Int) throws(StateError) -> Range<Int> {
        guard count >= 0, count <= remaining else {
            throw .truncated(
                component: path, needed: UInt64(max(count, 0)), available: remaining)
        }
        defer { position += count }
        return position..<(position + count)
    }

    private mutating func readLittleEndian<Value: UnsignedInteger & FixedWidthInteger>()
        throws(StateError) -> Value
    {
        var value: Value = 0
        for (index, offset) in try take(Value.bitWidth / 8).enumerated() {
            value |= Value(bytes[offset]) << (8 * index)
        }
        return value
    }
}
