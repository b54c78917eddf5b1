/// Where the loader puts what a kernel finds when it starts, all below the first 256 KiB.
///
/// A kernel's own segments start behind it.
enum BootLayout {
    /// Descriptors of the flat segments; only for kernels that start in long mode.
    static let descriptorTable: UInt64 = 0x500

    /// `hvm_start_info` of PVH.
    static let startInfo: UInt64 = 0x6000

    /// PVH's list of modules, of which there is one at most.
    static let moduleList: UInt64 = 0x6080

    /// PVH's memory map.
    static let memoryMap: UInt64 = 0x6100

    /// `boot_params` of Linux.
    static let bootParameters: UInt64 = 0x7000

    /// Page tables, 6 pages: the root, one of the third level, four of the second.
    static let pageTables: UInt64 = 0x9000

    /// The command line, terminated by 0.
    static let commandLine: UInt64 = 0x2_0000

    /// Bytes for the command line with its end.
    static let commandLineCapacity: UInt64 = 0x1_0000

    /// End of all of this.
    static let end: UInt64 = 0x4_0000

    /// End of RAM in the first megabyte, as the memory map tells it.
    static let conventionalEnd: UInt64 = 0x9_fc00

    /// Where RAM goes on.
    static let highStart: UInt64 = 0x10_0000
}
