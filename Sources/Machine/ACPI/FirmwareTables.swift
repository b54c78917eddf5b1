/// The ACPI tables, by which a guest's kernel finds processors, interrupts, the PCI bus and the
/// devices of the platform.
///
/// The machine is of the reduced-hardware kind: no PM timer, no SCI, no fixed registers but those
/// for sleep and reset. The tables depend on nothing but the arguments; a guest that arrives from
/// elsewhere brings them in its RAM.
struct FirmwareTables {
    let processorCount: Int
    let memorySize: UInt64

    /// Where the tables begin: with the root pointer, which names the list of the others.
    static var rootPointer: UInt64 { PhysicalLayout.firmwareTables.lowerBound }

    /// All tables as they lie in RAM from `rootPointer` on.
    func image() throws(BootError) -> [UInt8] {
        var image = Image(start: Self.rootPointer)
        image.skip(Self.rootPointerSize)
        let definitions = image.place(systemDescription)
        let list = [
            image.place(fixedDescription(systemDescription: definitions)),
            image.place(interruptDescription),
            image.place(configurationSpaceDescription),
        ]
        let listAddress = image.place(Self.tableList(list))
        image.put(Self.rootPointer(to: listAddress), at: 0)
        let capacity = Int(RealModeReset.address - Self.rootPointer)
        guard image.bytes.count <= capacity else {
            throw .tablesDoNotFit(size: image.bytes.count, available: capacity)
        }
        return image.bytes
    }

    /// The tables one after the other.
    private struct Image {
        let start: UInt64
        private(set) var bytes: [UInt8] = []

        init(start: UInt64) {
            self.start = start
        }

        mutating func skip(_ count: Int) {
            bytes += [UInt8](repeating: 0, count: count)
        }

        /// Appends a table at the next multiple of 16 and says where that is.
        mutating func place(_ table: ACPITable) -> UInt64 {
            skip((16 - bytes.count % 16) % 16)
            defer { bytes += table.finished }
            return start + UInt64(bytes.count)
        }

        mutating func put(_ contents: [UInt8], at offset: Int) {
            bytes.replaceSubrange(offset..<(offset + contents.count), with: contents)
        }
    }

    private static let rootPointerSize = 36

    /// The RSDP (ACPI 6.5, section 5.2.5.3); there is no list of the first revision's kind.
    private static func rootPointer(to list: UInt64) -> [UInt8] {
        var pointer = ByteWriter(count: rootPointerSize)
        pointer.put(Array("RSD PTR ".utf8), at: 0)
        pointer.put(Array("MARTLT".utf8), at: 9)
        pointer.put(2 as UInt8, at: 15)
        pointer.put(UInt32(rootPointerSize), at: 20)
        pointer.put(list, at: 24)
        // One checksum over the fields of the first revision, one over all.
        pointer.put(ACPITable.checksum(of: Array(pointer.bytes.prefix(20))), at: 8)
        pointer.put(ACPITable.checksum(of: pointer.bytes), at: 32)
        return pointer.bytes
    }

    /// The XSDT (section 5.2.8).
    private static func tableList(_ addresses: [UInt64]) -> ACPITable {
        var table = ACPITable("XSDT", revision: 1)
        for address in addresses { table.append(number: address) }
        return table
    }
}
