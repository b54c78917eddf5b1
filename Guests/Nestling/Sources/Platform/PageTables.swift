import Intrinsics

/// The identity mapping: 2 MiB pages which CPL3 may use. The first 4 GiB are constants of the
/// image; this adds what lies above.
final class PageTables {
    private static let flags: UInt64 = 7  // present, writable, user
    private static let largePage: UInt64 = 0x80
    private static let pageSize: UInt64 = 2 << 20

    private let memory: PhysicalMemory

    init(_ memory: PhysicalMemory) { self.memory = memory }

    /// Maps everything that a range touches. False: no memory for tables, or beyond 256 TiB / 2.
    ///
    /// Entries only ever go from absent to present, so no processor needs a flush.
    func map(_ start: UInt64, size: UInt64) -> Bool {
        let limit: UInt64 = 1 << 47
        guard size > 0, start < limit, size <= limit - start else { return false }
        var page = start & ~(Self.pageSize - 1)
        while page < start + size {
            guard let directories = table(in: page_table_root_address(), index: page >> 39),
                let directory = table(in: directories, index: page >> 30)
            else { return false }
            let entry = pointer(directory, to: UInt64.self) + Int(page >> 21 & 511)
            if entry.pointee == 0 { entry.pointee = page | Self.flags | Self.largePage }
            page += Self.pageSize
        }
        return true
    }

    /// The table which an entry points to, made if there is none.
    private func table(in parent: UInt64, index: UInt64) -> UInt64? {
        let entry = pointer(parent, to: UInt64.self) + Int(index & 511)
        if entry.pointee == 0 {
            guard let table = memory.allocateZeroed(PhysicalMemory.pageSize) else { return nil }
            entry.pointee = table | Self.flags
        }
        return entry.pointee & ~0xfff
    }
}
