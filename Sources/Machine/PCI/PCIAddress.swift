/// Where a function sits: bus, device and function number, as configuration accesses name it.
public struct PCIAddress: Hashable, Sendable {
    /// Bus number; only bus 0 exists here.
    public let bus: UInt8

    /// Device number on the bus, 0 to 31.
    public let device: UInt8

    /// Function number in the device, 0 to 7; only function 0 exists here.
    public let function: UInt8

    /// An address of any bus; device and function are cut to their 5 and 3 bits.
    public init(bus: UInt8 = 0, device: UInt8, function: UInt8 = 0) {
        self.bus = bus
        self.device = device & 0x1F
        self.function = function & 0x7
    }

    /// The address in bits 23...8 of the value that a guest writes to port 0xcf8.
    init(portAddress value: UInt32) {
        self.init(
            bus: UInt8(truncatingIfNeeded: value >> 16),
            device: UInt8(truncatingIfNeeded: value >> 11),
            function: UInt8(truncatingIfNeeded: value >> 8))
    }

    /// The address in bits 27...12 of an offset into the ECAM window.
    init(windowOffset offset: UInt64) {
        self.init(
            bus: UInt8(truncatingIfNeeded: offset >> 20),
            device: UInt8(truncatingIfNeeded: offset >> 15),
            function: UInt8(truncatingIfNeeded: offset >> 12))
    }
}

extension PCIAddress: CustomStringConvertible {
    /// The notation of `lspci`, as in "0000:00:03.0".
    public var description: String {
        "0000:\(digits(bus)):\(digits(device)).\(function)"
    }

    private func digits(_ value: UInt8) -> String {
        let text = String(value, radix: 16)
        return text.count < 2 ? "0" + text : text
    }
}
