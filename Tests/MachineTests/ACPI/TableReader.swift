import GuestMemory

/// Finds the ACPI tables in a guest's RAM as a kernel does, from the root pointer on.
struct TableReader {
    /// A table with its header.
    struct Table {
        let address: UInt64
        let bytes: [UInt8]

        var signature: String { String(decoding: bytes.prefix(4), as: UTF8.self) }
        var isSound: Bool { bytes.reduce(0, &+) == 0 }

        func integer<Value: FixedWidthInteger>(_ type: Value.Type, at offset: Int) -> Value {
            bytes[offset..<(offset + Value.bitWidth / 8)].reversed().reduce(0) {
                $0 << 8 | Value(truncatingIfNeeded: $1)
            }
        }
    }

    let root: Table
    let list: Table
    let tables: [Table]

    init(_ memory: GuestRAM, rootPointer: UInt64) throws {
        let root = Table(
            address: rootPointer,
            bytes: try memory.read(at: GuestAddress(rootPointer), count: 36))
        let list = try Self.table(at: root.integer(UInt64.self, at: 24), memory)
        self.root = root
        self.list = list
        tables = try stride(from: 36, to: list.bytes.count, by: 8).map {
            try Self.table(at: list.integer(UInt64.self, at: $0), memory)
        }
    }

    subscript(signature: String) -> Table? { tables.first { $0.signature == signature } }

    static func table(at address: UInt64, _ memory: GuestRAM) throws -> Table {
        let length = try memory.load(UInt32.self, at: GuestAddress(address + 4))
        return Table(
            address: address,
            bytes: try memory.read(at: GuestAddress(address), count: Int(length)))
    }
}
