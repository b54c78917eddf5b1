/// The 256 bytes of configuration space of one function: a type-0 header, base address registers
/// and a list of capabilities. A plain value without effects; `PCIFunction` acts on what changes.
///
/// Each bit is read-only unless the mask of writable bits has it. The layout is that of the PCI
/// Local Bus Specification 3.0, chapter 6.
public struct ConfigurationSpace: Sendable {
    /// The bytes that a function implements. What lies beyond them in the 4 KiB of an ECAM page
    /// reads as 0: there are no extended capabilities.
    public static let size = 256

    /// Offsets of registers in the header.
    enum Offset {
        static let vendor = 0x00
        static let device = 0x02
        static let command = 0x04
        static let status = 0x06
        static let revision = 0x08
        static let classCode = 0x09
        static let cacheLineSize = 0x0C
        static let headerType = 0x0E
        static let baseAddresses = 0x10
        static let subsystemVendor = 0x2C
        static let subsystem = 0x2E
        static let capabilities = 0x34
        static let interruptLine = 0x3C
        static let firstCapability = 0x40
    }

    /// Bits of the command register.
    struct Command: OptionSet {
        let rawValue: UInt16
        /// The function answers at its memory ranges.
        static let memory = Command(rawValue: 1 << 1)
        /// The function may read and write the guest's RAM.
        static let busMaster = Command(rawValue: 1 << 2)
        /// The bits that a guest can change: those above, parity and system error reporting, and
        /// the disabling of INTx, which these functions do not have.
        static let writable = Command(rawValue: 0x0546)
    }

    /// The base address registers, ascending.
    public let baseAddresses: [BaseAddressRegister]

    private(set) var bytes: [UInt8]
    private var writable: [UInt8]
    private var nextCapability = Offset.firstCapability
    private var lastLink = Offset.capabilities

    /// The space of a function before a guest has touched it: decoding off, addresses 0.
    public init(identity: PCIIdentity, baseAddresses: [BaseAddressRegister] = []) {
        self.baseAddresses = baseAddresses
        bytes = [UInt8](repeating: 0, count: Self.size)
        writable = bytes
        set(identity.vendor, at: Offset.vendor)
        set(identity.device, at: Offset.device)
        set(UInt32(identity.revision) | identity.classCode << 8, at: Offset.revision)
        set(identity.subsystemVendor, at: Offset.subsystemVendor)
        set(identity.subsystem, at: Offset.subsystem)
        allowWriting(Command.writable.rawValue, at: Offset.command)
        allowWriting(0xFF as UInt8, at: Offset.cacheLineSize)
        allowWriting(0xFF as UInt8, at: Offset.interruptLine)
        for register in baseAddresses {
            set(register.typeBits, at: register.offset)
            allowWriting(UInt32(truncatingIfNeeded: register.addressMask), at: register.offset)
            if register.width == .bits64 {
                allowWriting(
                    UInt32(truncatingIfNeeded: register.addressMask >> 32),
                    at: register.offset + 4)
            }
        }
    }

    /// Appends a capability to the list.
    ///
    /// - Parameters:
    ///   - identifier: its number, as in 0x11 for MSI-X.
    ///   - contents: what follows the identifier and the link.
    ///   - writable: the bits of `contents` that a guest can change; missing bytes are read-only.
    /// - Returns: the offset of the capability in the space.
    @discardableResult
    public mutating func appendCapability(
        _ identifier: UInt8, contents: [UInt8], writable mask: [UInt8] = []
    ) -> Int {
        let offset = nextCapability
        precondition(offset + 2 + contents.count <= Self.size, "the capabilities do not fit")
        bytes[lastLink] = UInt8(offset)
        bytes[offset] = identifier
        bytes.replaceSubrange((offset + 2)..<(offset + 2 + contents.count), with: contents)
        for (index, bits) in mask.enumerated() { writable[offset + 2 + index] = bits }
        set(read(Offset.status, as: UInt16.self) | 1 << 4, at: Offset.status)
        lastLink = offset + 1
        nextCapability = (offset + 2 + contents.count + 3) & ~3
        return offset
    }

    /// Reads 1, 2 or 4 bytes as a guest does; bytes beyond the space read as 0.
    public func read(offset: Int, width: Int) -> UInt32 {
        var value: UInt32 = 0
        for index in 0..<min(max(width, 0), 4) where bytes.indices.contains(offset + index) {
            value |= UInt32(bytes[offset + index]) << UInt32(8 * index)
        }
        return value
    }

    /// Writes 1, 2 or 4 bytes as a guest does; bits that are read-only keep their value.
    public mutating func write(offset: Int, width: Int, value: UInt32) {
        for index in 0..<min(max(width, 0), 4) where bytes.indices.contains(offset + index) {
            let byte = UInt8(truncatingIfNeeded: value >> UInt32(8 * index))
            let mask = writable[offset + index]
            bytes[offset + index] = bytes[offset + index] & ~mask | byte & mask
        }
    }

    /// Whether the function answers at its memory ranges now.
    public var decodesMemory: Bool {
        Command(rawValue: read(Offset.command, as: UInt16.self)).contains(.memory)
    }

    /// The address in a base address register.
    public func address(of register: BaseAddressRegister) -> UInt64 {
        let low = UInt64(read(offset: register.offset, width: 4))
        let high =
            register.width == .bits64 ? UInt64(read(offset: register.offset + 4, width: 4)) : 0
        return (low | high << 32) & register.addressMask
    }

    /// Puts an address into a base address register, as firmware would.
    public mutating func setAddress(_ address: UInt64, of register: BaseAddressRegister) {
        write(offset: register.offset, width: 4, value: UInt32(truncatingIfNeeded: address))
        if register.width == .bits64 {
            write(
                offset: register.offset + 4, width: 4,
                value: UInt32(truncatingIfNeeded: address >> 32))
        }
    }

    /// Puts all bytes of another space into this one.
    ///
    /// - Returns: the offset of the first byte in which a read-only bit differs, if there is one;
    ///   then nothing was changed.
    mutating func restore(_ saved: [UInt8]) -> Int? {
        guard saved.count == bytes.count else { return saved.count }
        let conflict = bytes.indices.first { (bytes[$0] ^ saved[$0]) & ~writable[$0] != 0 }
        if conflict == nil { bytes = saved }
        return conflict
    }

    private func read<Value: FixedWidthInteger>(_ offset: Int, as type: Value.Type) -> Value {
        Value(truncatingIfNeeded: read(offset: offset, width: Value.bitWidth / 8))
    }

    private mutating func set<Value: FixedWidthInteger>(_ value: Value, at offset: Int) {
        for index in 0..<(Value.bitWidth / 8) {
            bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index))
        }
    }

    private mutating func allowWriting<Value: FixedWidthInteger>(_ mask: Value, at offset: Int) {
        for index in 0..<(Value.bitWidth / 8) {
            writable[offset + index] = UInt8(truncatingIfNeeded: mask >> (8 * index))
        }
    }
}
