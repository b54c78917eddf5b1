/// What a guest starts with.
public struct BootConfiguration: Hashable, Sendable {
    /// Path of a PVH ELF file or a bzImage.
    public var kernel: String

    /// Path of an initramfs, if there is one.
    public var initramfs: String?

    /// The kernel's command line.
    public var commandLine: String

    /// Collects the parts.
    public init(kernel: String, initramfs: String? = nil, commandLine: String = "") {
        self.kernel = kernel
        self.initramfs = initramfs
        self.commandLine = commandLine
    }
}

/// Where and how the first processor starts; the others wait for it to start them.
enum BootEntry: Equatable {
    /// 32-bit protected mode without paging.
    case pvh(entry: UInt32, startInfo: UInt32)

    /// Long mode with an identity mapping of the first 4 GiB.
    case linux64(entry: UInt64, bootParameters: UInt64)
}
