import Intrinsics

/// How PCI configuration space is reached.
enum ConfigurationSpace {
    /// Through ports 0xcf8 and 0xcfc.
    case ports
    /// Memory-mapped (ECAM), from this address.
    case window(UInt64)

    private static let addressPort: UInt16 = 0xcf8
    private static let dataPort: UInt16 = 0xcfc
    private static let enable: UInt32 = 1 << 31
    /// Where QEMU's microvm, which has no ports and no table that says so, has its window.
    private static let usualWindow: UInt64 = 0xe000_0000

    /// Ports when they answer, else the window that ACPI names, else the usual one. Nil: no PCI.
    static func find(_ information: start_info, _ tables: PageTables) -> Self? {
        port_write32(addressPort, enable)
        if port_read32(addressPort) == enable { return .ports }
        let base = ACPI(rootPointer: information.root_pointer)?.configurationWindow ?? usualWindow
        // Bus 0 is all that is looked at before a bridge says more.
        guard tables.map(base, size: 256 << 20) else { return nil }
        let window = Self.window(base)
        return window.read32(FunctionAddress(bus: 0, device: 0, function: 0), 0) == UInt32.max
            ? nil : window
    }

    func read32(_ function: FunctionAddress, _ offset: UInt32) -> UInt32 {
        switch self {
        case .ports:
            port_write32(Self.addressPort, Self.enable | function.bits << 8 | offset & 0xfc)
            return port_read32(Self.dataPort)
        case .window(let base):
            return mmio_read32(base + UInt64(function.bits << 12 | offset & 0xffc))
        }
    }

    func write32(_ function: FunctionAddress, _ offset: UInt32, _ value: UInt32) {
        switch self {
        case .ports:
            port_write32(Self.addressPort, Self.enable | function.bits << 8 | offset & 0xfc)
            port_write32(Self.dataPort, value)
        case .window(let base):
            mmio_write32(base + UInt64(function.bits << 12 | offset & 0xffc), value)
        }
    }
}

/// Which function of which device.
struct FunctionAddress {
    let bits: UInt32

    init(bus: UInt32, device: UInt32, function: UInt32) {
        bits = bus << 8 | device << 3 | function
    }
}
