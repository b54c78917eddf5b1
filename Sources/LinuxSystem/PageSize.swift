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
}
