/// Where the MSI-X structures lie in the memory ranges of a function.
public struct MSIXPlace: Hashable, Sendable {
    /// Identifier of the capability.
    static let capability: UInt8 = 0x11

    /// Number of the base address register.
    public let register: Int
    /// Offset of the table, a multiple of 8.
    public let tableOffset: UInt32
    /// Offset of the pending bits, a multiple of 8.
    public let pendingOffset: UInt32

    /// Places in one memory range; wrong values are a mistake of the device's author.
    public init(register: Int, tableOffset: UInt32, pendingOffset: UInt32) {
        precondition(tableOffset % 8 == 0 && pendingOffset % 8 == 0 && (0...5).contains(register))
        self.register = register
        self.tableOffset = tableOffset
        self.pendingOffset = pendingOffset
    }

    /// Message control, table and pending bits, as the capability has them.
    func contents(count: Int) -> [UInt8] {
        let words = [UInt32(register) | tableOffset, UInt32(register) | pendingOffset]
        let control = UInt16(clamping: count - 1)
        return [UInt8(truncatingIfNeeded: control), UInt8(truncatingIfNeeded: control >> 8)]
            + words.flatMap { word in
                (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * UInt32($0))) }
            }
    }
}
