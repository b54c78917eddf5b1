/// The setup header of a bzImage.
///
/// Source: Linux `Documentation/arch/x86/boot.rst`. Offsets count from the start of the file.
struct LinuxSetupHeader: Equatable {
    /// The first bytes of the file that hold every header there has been.
    static let headSize = 0x300

    /// Where the header starts, in the file and in `boot_params`.
    static let offset = 0x1f1

    /// The whole header as it stands in the file, from `offset` on, to be handed to the kernel.
    let bytes: [UInt8]

    /// Where the protected-mode kernel starts in the file.
    let kernelOffset: UInt64

    /// Where the kernel wants to be loaded.
    let preferredAddress: UInt64

    /// Memory that the kernel needs from there on until it reads the memory map.
    let initialSize: UInt64

    /// Bytes of command line that the kernel takes, without the end.
    let commandLineLimit: UInt32

    /// The highest address that the initramfs may contain.
    let initramfsAddressLimit: UInt64

    private static let magic: UInt32 = 0x5372_6448  // "HdrS"

    /// Tells a bzImage from other files, by the two magic numbers.
    static func isPresent(in head: [UInt8]) -> Bool {
        let reader = ByteReader(bytes: head)
        return reader.integer(UInt16.self, at: 0x1fe) == 0xaa55
            && reader.integer(UInt32.self, at: 0x202) == magic
    }

    /// Reads the header from the first `headSize` bytes of the file.
    init(head: [UInt8]) throws(KernelFault) {
        let reader = ByteReader(bytes: head)
        guard let version = reader.integer(UInt16.self, at: 0x206),
            let jump = reader.integer(UInt8.self, at: 0x201)
        else { throw .malformedSetup }
        guard version >= 0x020c else { throw .oldProtocol }
        let end = 0x202 + Int(jump)
        guard end >= 0x268, end <= head.count,
            let sectors = reader.integer(UInt8.self, at: 0x1f1),
            let initramfsLimit = reader.integer(UInt32.self, at: 0x22c),
            let features = reader.integer(UInt16.self, at: 0x236),
            let commandLineLimit = reader.integer(UInt32.self, at: 0x238),
            let preferredAddress = reader.integer(UInt64.self, at: 0x258),
            let initialSize = reader.integer(UInt32.self, at: 0x260)
        else { throw .malformedSetup }
        // Bit 0: the entry at 0x200 behind the start of the kernel is there.
        guard features & 1 != 0 else { throw .no64BitEntry }
        bytes = Array(head[Self.offset..<end])
        // 0 stands for 4, for the oldest loaders; the boot sector comes on top.
        kernelOffset = (UInt64(sectors == 0 ? 4 : sectors) + 1) * 512
        self.preferredAddress = preferredAddress
        self.initialSize = UInt64(initialSize)
        self.commandLineLimit = commandLineLimit
        initramfsAddressLimit = UInt64(initramfsLimit)
    }
}
