/// Something that has a value when it is evaluated (ACPI 6.5, sections 20.2.3 and 20.2.5.4).
indirect enum AMLValue {
    case integer(UInt64)
    case text(String)
    case buffer([UInt8])
    case package([AMLValue])
    /// One of the method's own variables, 0 to 7.
    case local(Int)
    /// One of the method's arguments, 0 to 6.
    case argument(Int)
    /// What a named object holds.
    case named(AMLPath)
    case and(AMLValue, AMLValue)
    case or(AMLValue, AMLValue)
    case equal(AMLValue, AMLValue)

    /// The identifier PNPxxxx of a device as EISA packs it into 32 bits: three letters of 5 bits, four
    /// digits (section 19.3.4, EISAID).
    static func plugAndPlay(_ product: UInt16) -> AMLValue {
        let letters = "PNP".utf8.reduce(0 as UInt32) { $0 << 5 | UInt32($1 & 0x1f) }
        // The bytes are in the order in which people write them.
        return .integer(UInt64((letters << 16 | UInt32(product)).byteSwapped))
    }

    /// A universally unique identifier in the mixed byte order of ACPI (ToUUID of its source language).
    static func uuid(_ text: String) -> AMLValue {
        let digits = Array(text.filter { $0 != "-" })
        var bytes = stride(from: 0, to: digits.count - 1, by: 2).compactMap {
            UInt8(String(digits[$0...($0 + 1)]), radix: 16)
        }
        precondition(bytes.count == 16, "no universally unique identifier")
        bytes[0..<4].reverse()
        bytes[4..<6].reverse()
        bytes[6..<8].reverse()
        return .buffer(bytes)
    }

    func write(to writer: inout AMLWriter) {
        switch self {
        case .integer(let value): Self.write(value, to: &writer)
        case .text(let text):
            writer.append(0x0d)
            writer.append(Array(text.utf8) + [0])
        case .buffer(let contents):
            writer.appendPackage([0x11]) { inner in
                Self.write(UInt64(contents.count), to: &inner)
                inner.append(contents)
            }
        case .package(let elements):
            writer.appendPackage([0x12]) { inner in
                inner.append(UInt8(elements.count))
                for element in elements { element.write(to: &inner) }
            }
        case .local(let number): writer.append(0x60 + UInt8(number))
        case .argument(let number): writer.append(0x68 + UInt8(number))
        case .named(let path): writer.append(path.bytes)
        case .and(let left, let right):
            Self.write(0x7b, left, right, to: &writer)
            writer.append(0x00)  // the result goes nowhere else
        case .or(let left, let right):
            Self.write(0x7d, left, right, to: &writer)
            writer.append(0x00)
        case .equal(let left, let right): Self.write(0x93, left, right, to: &writer)
        }
    }

    private static func write(
        _ opcode: UInt8, _ left: AMLValue, _ right: AMLValue, to writer: inout AMLWriter
    ) {
        writer.append(opcode)
        left.write(to: &writer)
        right.write(to: &writer)
    }

    /// The shortest form of a number.
    private static func write(_ value: UInt64, to writer: inout AMLWriter) {
        switch value {
        case 0, 1: writer.append(UInt8(value))
        case ...0xff:
            writer.append(0x0a)
            writer.append(UInt8(value))
        case ...0xffff:
            writer.append(0x0b)
            writer.append(number: UInt16(value))
        case ...0xffff_ffff:
            writer.append(0x0c)
            writer.append(number: UInt32(value))
        default:
            writer.append(0x0e)
            writer.append(number: value)
        }
    }
}
