/// Sizes of pages on x86-64.
public enum PageSize {
    /// The size of an ordinary page, in bytes.
    public static let base = 4096
    /// The number of address bits within an ordinary page.
    public static let shift = 12
}

/// The sizes of pages that the kernel keeps in pools of their own.
public enum HugePageSize: Int, Sendable, CaseIterable {
    /// 2 MiB pages.
    case twoMebibytes = 0x20_0000
    /// 1 GiB pages.
    case oneGibibyte = 0x4000_0000

    /// Where the kernel shows and takes the size of the pool (Linux
    /// `Documentation/admin-guide/mm/hugetlbpage.rst`).
    var poolPath: String { "/sys/kernel/mm/hugepages/hugepages-\(rawValue / 1024)kB" }

    /// How many pages of the pool nobody has; nil where the kernel has none of this size.
    public var freeCount: Int? {
        guard let file = try? OwnedDescriptor(opening: "\(poolPath)/free_hugepages"),
            let text = try? file.readAll(maximum: 64)
        else { return nil }
        return Int(String(decoding: text, as: UTF8.self).filter(\.isNumber))
    }

    /// What to do when the pool is too small for so many bytes.
    public func advice(for byteCount: Int) -> String {
        guard let freeCount else {
            return "this host has no huge pages of \(rawValue / 1024) KiB; use another size, or do "
                + "without huge pages"
        }
        return "\(byteCount / rawValue) pages are needed and \(freeCount) are free: raise "
            + "\(poolPath)/nr_hugepages, or do without huge pages"
    }
}
