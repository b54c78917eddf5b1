/// A named object of the ACPI namespace (ACPI 6.5, section 20.2.5).
indirect enum AMLObject {
    /// Opens a part of the namespace that exists.
    case scope(AMLPath, [AMLObject])
    case device(AMLName, [AMLObject])
    case name(AMLName, AMLValue)
    /// Methods are serialized: no two processors are in one at the same time.
    case method(AMLName, arguments: Int, [AMLStatement])
    /// A range of ports, and names for its doublewords from its start on.
    case ports(AMLName, Range<UInt64>, doublewords: [AMLName])

    func write(to writer: inout AMLWriter) {
        switch self {
        case .scope(let path, let objects):
            writer.appendPackage([0x10]) { inner in
                inner.append(path.bytes)
                for object in objects { object.write(to: &inner) }
            }
        case .device(let name, let objects):
            writer.appendPackage([0x5b, 0x82]) { inner in
                inner.append(name.bytes)
                for object in objects { object.write(to: &inner) }
            }
        case .name(let name, let value):
            writer.append(0x08)
            writer.append(name.bytes)
            value.write(to: &writer)
        case .method(let name, let arguments, let statements):
            writer.appendPackage([0x14]) { inner in
                inner.append(name.bytes)
                inner.append(UInt8(arguments) | 1 << 3)
                for statement in statements { statement.write(to: &inner) }
            }
        case .ports(let name, let range, let fields):
            Self.writePorts(name, range, fields, to: &writer)
        }
    }

    private static func writePorts(
        _ name: AMLName, _ range: Range<UInt64>, _ fields: [AMLName], to writer: inout AMLWriter
    ) {
        writer.append([0x5b, 0x80])
        writer.append(name.bytes)
        writer.append(0x01)  // system I/O
        AMLValue.integer(range.lowerBound).write(to: &writer)
        AMLValue.integer(UInt64(range.count)).write(to: &writer)
        writer.appendPackage([0x5b, 0x81]) { inner in
            inner.append(name.bytes)
            // Accessed as doublewords, without the global lock; other bits are written as zeros.
            inner.append(0x03 | 2 << 5)
            for field in fields {
                inner.append(field.bytes)
                inner.appendLength(32)
            }
        }
    }
}

/// A step of a method (ACPI 6.5, section 20.2.5.3).
indirect enum AMLStatement {
    case store(AMLValue, in: AMLValue)
    case ifTrue(AMLValue, [AMLStatement])
    case ifElse(AMLValue, [AMLStatement], [AMLStatement])
    /// Tells the guest's driver of a device what happened to it.
    case notify(AMLPath, UInt8)
    case call(AMLPath)
    case returning(AMLValue)
    /// Names four bytes of a buffer.
    case doubleword(of: AMLValue, at: Int, AMLName)

    func write(to writer: inout AMLWriter) {
        switch self {
        case .store(let value, let target):
            writer.append(0x70)
            value.write(to: &writer)
            target.write(to: &writer)
        case .ifTrue(let condition, let statements):
            writer.appendPackage([0xa0]) { inner in
                condition.write(to: &inner)
                for statement in statements { statement.write(to: &inner) }
            }
        case .ifElse(let condition, let statements, let others):
            Self.ifTrue(condition, statements).write(to: &writer)
            writer.appendPackage([0xa1]) { inner in
                for statement in others { statement.write(to: &inner) }
            }
        case .notify(let path, let value):
            writer.append(0x86)
            writer.append(path.bytes)
            AMLValue.integer(UInt64(value)).write(to: &writer)
        case .call(let path): writer.append(path.bytes)
        case .returning(let value):
            writer.append(0xa4)
            value.write(to: &writer)
        case .doubleword(let buffer, let offset, let name):
            writer.append(0x8a)
            buffer.write(to: &writer)
            AMLValue.integer(UInt64(offset)).write(to: &writer)
            writer.append(name.bytes)
        }
    }
}
