/// A piece of a frame. Numbers are big-endian, and every access is checked against the end.
struct Bytes {
    let start: UnsafeMutablePointer<UInt8>
    let count: Int

    subscript(offset: Int) -> UInt8 {
        get {
            precondition(offset >= 0 && offset < count)
            return start[offset]
        }
        nonmutating set {
            precondition(offset >= 0 && offset < count)
            start[offset] = newValue
        }
    }

    /// What follows the first `offset` bytes, at most `limit` of it.
    func from(_ offset: Int, limit: Int = Int.max) -> Bytes {
        precondition(offset >= 0 && offset <= count && limit >= 0)
        return Bytes(start: start + offset, count: min(count - offset, limit))
    }

    func read16(_ offset: Int) -> UInt16 { UInt16(self[offset]) << 8 | UInt16(self[offset + 1]) }

    func read32(_ offset: Int) -> UInt32 {
        UInt32(read16(offset)) << 16 | UInt32(read16(offset + 2))
    }

    func write16(_ offset: Int, _ value: UInt16) {
        self[offset] = UInt8(value >> 8)
        self[offset + 1] = UInt8(value & 0xff)
    }

    func write32(_ offset: Int, _ value: UInt32) {
        write16(offset, UInt16(value >> 16))
        write16(offset + 2, UInt16(value & 0xffff))
    }

    func copy(from source: Bytes, at offset: Int = 0) {
        precondition(offset >= 0 && source.count <= count - offset)
        (start + offset).update(from: source.start, count: source.count)
    }
}

/// The Internet checksum: the one's complement of a one's complement sum of 16-bit words.
struct Checksum {
    private var sum: UInt64 = 0

    mutating func add(_ bytes: Bytes) {
        var offset = 0
        while offset + 1 < bytes.count {
            sum += UInt64(bytes.read16(offset))
            offset += 2
        }
        if offset < bytes.count { sum += UInt64(bytes[offset]) << 8 }
    }

    mutating func add(_ value: UInt16) { sum += UInt64(value) }

    mutating func add(_ value: UInt32) { sum += UInt64(value >> 16) + UInt64(value & 0xffff) }

    /// What goes into a packet; 0 over a packet that carries its right checksum.
    var value: UInt16 {
        var folded = sum
        while folded >> 16 != 0 { folded = (folded & 0xffff) + folded >> 16 }
        return ~UInt16(folded)
    }
}
