/// Finds the entry of a PVH kernel in the notes of its ELF file.
///
/// Source: Xen, `xen/include/public/elfnote.h`: note 18, XEN_ELFNOTE_PHYS32_ENTRY, holds the
/// physical address at which the kernel starts in 32-bit protected mode without paging.
enum PVHNote {
    /// Notes are looked for in this many bytes of a table at most.
    static let tableLimit = 64 * 1024

    private static let name: [UInt8] = [0x58, 0x65, 0x6e, 0x00]  // "Xen" and its end
    private static let physicalEntry: UInt32 = 18

    /// The entry address, or nil when the notes have none.
    ///
    /// - Parameter alignment: to which names and descriptors are padded.
    static func entry(inNotes bytes: [UInt8], alignment: Int) -> UInt32? {
        let reader = ByteReader(bytes: bytes)
        var offset = 0
        while let nameSize = reader.integer(UInt32.self, at: offset),
            let size = reader.integer(UInt32.self, at: offset + 4),
            let type = reader.integer(UInt32.self, at: offset + 8)
        {
            // Sizes are below 2^32, so that the sums cannot overflow.
            let nameStart = offset + 12
            let start = roundUp(nameStart + Int(nameSize), to: alignment)
            if type == physicalEntry, isXen(bytes, at: nameStart, size: Int(nameSize)) {
                // Linux has written 8 bytes here, and 4 since version 6.12.
                return size >= 4 ? reader.integer(UInt32.self, at: start) : nil
            }
            offset = roundUp(start + Int(size), to: alignment)
        }
        return nil
    }

    private static func isXen(_ bytes: [UInt8], at start: Int, size: Int) -> Bool {
        size == name.count && start + size <= bytes.count
            && bytes[start..<(start + size)].elementsEqual(name)
    }

    private static func roundUp(_ value: Int, to alignment: Int) -> Int {
        (value + alignment - 1) / alignment * alignment
    }
}
