/// Something that a device uses or passes on, as its _CRS object lists it (ACPI 6.5, section 6.4).
enum AMLResource {
    /// Ports of the device.
    case ports(Range<UInt64>)
    /// An edge-triggered interrupt of the device, by its global number.
    case interrupt(UInt32)
    /// Memory-mapped registers of the device below 4 GiB.
    case memory(Range<UInt64>)
    /// The buses behind a bridge.
    case busWindow(ClosedRange<UInt16>)
    /// Ports that a bridge passes on.
    case portWindow(ClosedRange<UInt16>)
    /// Addresses that a bridge passes on, below 4 GiB.
    case memoryWindow32(Range<UInt64>)
    /// Addresses that a bridge passes on.
    case memoryWindow64(Range<UInt64>)

    /// The value of a _CRS object.
    static func list(_ resources: [AMLResource]) -> AMLValue {
        var writer = AMLWriter()
        for resource in resources { resource.write(to: &writer) }
        writer.append([0x79, 0x00])  // the end, without a checksum
        return .buffer(writer.bytes)
    }

    private func write(to writer: inout AMLWriter) {
        switch self {
        case .ports(let range):
            writer.append([0x47, 0x01])  // all 16 bits of the address are decoded
            writer.append(number: UInt16(truncatingIfNeeded: range.lowerBound))
            writer.append(number: UInt16(truncatingIfNeeded: range.lowerBound))
            writer.append(0x01)
            writer.append(UInt8(clamping: range.count))
        case .interrupt(let number):
            writer.append([0x89, 6, 0])
            writer.append(0b0_0011)  // consumed, by edge, active high, not shared
            writer.append(1)
            writer.append(number: number)
        case .memory(let range):
            writer.append([0x86, 9, 0, 0x01])  // readable and writable
            writer.append(number: UInt32(truncatingIfNeeded: range.lowerBound))
            writer.append(number: UInt32(clamping: range.count))
        case .busWindow(let range): Self.write(0x88, kind: 2, flags: 0, range, to: &writer)
        case .portWindow(let range):
            Self.write(0x88, kind: 1, flags: 0x03, range, to: &writer)  // the entire range
        case .memoryWindow32(let range):
            let start = UInt32(truncatingIfNeeded: range.lowerBound)
            let end = UInt32(truncatingIfNeeded: range.upperBound - 1)
            // Readable and writable, not cacheable.
            Self.write(0x87, kind: 0, flags: 0x01, start...end, to: &writer)
        case .memoryWindow64(let range):
            Self.write(
                0x8a, kind: 0, flags: 0x01, range.lowerBound...(range.upperBound - 1),
                to: &writer)
        }
    }

    /// An address space descriptor of any width (section 6.4.3.5) with fixed ends.
    private static func write<Value: FixedWidthInteger & UnsignedInteger>(
        _ tag: UInt8, kind: UInt8, flags: UInt8, _ range: ClosedRange<Value>,
        to writer: inout AMLWriter
    ) {
        writer.append(tag)
        writer.append(number: UInt16(3 + 5 * Value.bitWidth / 8))
        writer.append([kind, 0b1100, flags])  // passed on; both ends are fixed
        writer.append(number: 0 as Value)  // any granularity
        writer.append(number: range.lowerBound)
        writer.append(number: range.upperBound)
        writer.append(number: 0 as Value)  // addresses are passed on as they are
        writer.append(number: range.upperBound - range.lowerBound + 1)
    }
}
