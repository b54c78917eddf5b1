/// An ELF file as far as booting it needs: what to load where, and where its notes are.
///
/// Source: System V ABI, chapter 4 and 5; both classes, since a 32-bit PVH kernel is as good.
struct ELFKernel: Equatable {
    /// A piece of the file to be loaded.
    struct Segment: Equatable {
        var fileOffset: UInt64
        var fileSize: UInt64
        var address: UInt64
        var memorySize: UInt64
    }

    /// A run of notes in the file.
    struct NoteTable: Equatable {
        var fileOffset: UInt64
        var size: UInt64
        /// To which names and descriptors are padded: 4 or 8.
        var alignment: Int
    }

    /// The more than enough headers that are looked at; Linux has 5.
    static let maximumHeaders = 64

    /// The first bytes of the file that can hold the file header and where its table is.
    static let fileHeaderSize = 64

    static let magic: [UInt8] = [0x7f, 0x45, 0x4c, 0x46]

    private(set) var segments: [Segment] = []
    private(set) var notes: [NoteTable] = []

    /// Where the program headers are in the file.
    struct HeaderTable: Equatable {
        var is64Bit: Bool
        var fileOffset: UInt64
        var entrySize: Int
        var count: Int

        /// Reads the file header.
        init(fileHeader: [UInt8]) throws(KernelFault) {
            let header = ByteReader(bytes: fileHeader)
            guard let type = header.integer(UInt8.self, at: 4),
                let order = header.integer(UInt8.self, at: 5),
                let machine = header.integer(UInt16.self, at: 18)
            else { throw .malformedELF }
            guard (1...2).contains(type), order == 1, machine == 3 || machine == 62 else {
                throw .foreignELF
            }
            is64Bit = type == 2
            let offset =
                is64Bit
                ? header.integer(UInt64.self, at: 32)
                : header.integer(UInt32.self, at: 28).map(UInt64.init)
            guard let offset,
                let entrySize = header.integer(UInt16.self, at: is64Bit ? 54 : 42),
                let count = header.integer(UInt16.self, at: is64Bit ? 56 : 44),
                entrySize >= (is64Bit ? 56 : 32), entrySize <= 256,
                count <= ELFKernel.maximumHeaders
            else { throw .malformedELF }
            fileOffset = offset
            self.entrySize = Int(entrySize)
            self.count = Int(count)
        }
    }

    /// Reads the program headers, which are all of `bytes`.
    init(programHeaders bytes: [UInt8], table: HeaderTable) throws(KernelFault) {
        let reader = ByteReader(bytes: bytes)
        for index in 0..<table.count {
            let offset = index * table.entrySize
            let fields =
                table.is64Bit
                ? Fields(class64: reader, at: offset) : Fields(class32: reader, at: offset)
            guard let fields else { throw .malformedELF }
            switch fields.type {
            case 1 where fields.memorySize > 0:
                guard fields.fileSize <= fields.memorySize else { throw .malformedELF }
                segments.append(
                    Segment(
                        fileOffset: fields.offset, fileSize: fields.fileSize,
                        address: fields.physicalAddress, memorySize: fields.memorySize))
            case 4:
                notes.append(
                    NoteTable(
                        fileOffset: fields.offset, size: fields.fileSize,
                        alignment: fields.alignment == 8 ? 8 : 4))
            default:
                continue
            }
        }
        guard !segments.isEmpty else { throw .emptyELF }
    }

    /// The fields of a program header.
    private struct Fields {
        var type: UInt32
        var offset: UInt64
        var physicalAddress: UInt64
        var fileSize: UInt64
        var memorySize: UInt64
        var alignment: UInt64

        init?(class64 reader: ByteReader, at start: Int) {
            guard let type = reader.integer(UInt32.self, at: start),
                let offset = reader.integer(UInt64.self, at: start + 8),
                let physicalAddress = reader.integer(UInt64.self, at: start + 24),
                let fileSize = reader.integer(UInt64.self, at: start + 32),
                let memorySize = reader.integer(UInt64.self, at: start + 40),
                let alignment = reader.integer(UInt64.self, at: start + 48)
            else { return nil }
            self.type = type
            self.offset = offset
            self.physicalAddress = physicalAddress
            self.fileSize = fileSize
            self.memorySize = memorySize
            self.alignment = alignment
        }

        init?(class32 reader: ByteReader, at start: Int) {
            guard let type = reader.integer(UInt32.self, at: start),
                let offset = reader.integer(UInt32.self, at: start + 4),
                let physicalAddress = reader.integer(UInt32.self, at: start + 12),
                let fileSize = reader.integer(UInt32.self, at: start + 16),
                let memorySize = reader.integer(UInt32.self, at: start + 20),
                let alignment = reader.integer(UInt32.self, at: start + 28)
            else { return nil }
            self.type = type
            self.offset = UInt64(offset)
            self.physicalAddress = UInt64(physicalAddress)
            self.fileSize = UInt64(fileSize)
            self.memorySize = UInt64(memorySize)
            self.alignment = UInt64(alignment)
        }
    }
}
