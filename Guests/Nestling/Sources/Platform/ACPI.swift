import Intrinsics

/// The firmware's tables, as far as they lead to PCI configuration space and to the power switch.
struct ACPI {
    private static let entryLimit = 64
    /// "MCFG"
    private static let configurationSignature: UInt32 = 0x4746_434d
    /// "FACP"
    private static let fixedSignature: UInt32 = 0x5043_4146

    private let tables: UInt64
    private let entrySize: UInt64

    /// - Parameter rootPointer: the address of the RSDP; 0: none.
    init?(rootPointer: UInt64) {
        guard rootPointer != 0, rootPointer >> 32 == 0 else { return nil }
        let revision = mmio_read8(rootPointer + 15)
        let extended = Self.read64(rootPointer + 24)
        if revision >= 2 && extended != 0 {
            tables = extended
            entrySize = 8
        } else {
            tables = UInt64(mmio_read32(rootPointer + 16))
            entrySize = 4
        }
        guard tables != 0, tables >> 32 == 0 else { return nil }
    }

    /// The memory-mapped configuration window of the first segment.
    var configurationWindow: UInt64? {
        guard let table = table(Self.configurationSignature), mmio_read32(table + 4) >= 60 else {
            return nil
        }
        let base = Self.read64(table + 44)
        return base == 0 ? nil : base
    }

    /// The sleep control register of a machine with reduced hardware.
    var sleepRegister: SleepRegister? {
        let offset: UInt64 = 244
        guard let table = table(Self.fixedSignature), mmio_read32(table + 4) >= 256 else {
            return nil
        }
        let address = Self.read64(table + offset + 4)
        guard address != 0, address >> 32 == 0 else { return nil }
        switch mmio_read8(table + offset) {
        case 0: return .memory(address)
        case 1: return .port(UInt16(truncatingIfNeeded: address))
        default: return nil
        }
    }

    private func table(_ signature: UInt32) -> UInt64? {
        let length = UInt64(mmio_read32(tables + 4))
        guard length > 36 else { return nil }
        for index in 0..<min((length - 36) / entrySize, UInt64(Self.entryLimit)) {
            let entry = tables + 36 + index * entrySize
            let table = entrySize == 8 ? Self.read64(entry) : UInt64(mmio_read32(entry))
            guard table != 0, table >> 32 == 0 else { continue }
            if mmio_read32(table) == signature { return table }
        }
        return nil
    }

    /// Tables are not aligned.
    private static func read64(_ address: UInt64) -> UInt64 {
        UInt64(mmio_read32(address)) | UInt64(mmio_read32(address + 4)) << 32
    }
}

/// Where a byte written switches the machine off.
enum SleepRegister {
    case memory(UInt64)
    case port(UInt16)

    func write(_ value: UInt8) {
        switch self {
        case .memory(let address): mmio_write8(address, value)
        case .port(let port): port_write8(port, value)
        }
    }
}
