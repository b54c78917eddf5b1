public import GuestMemory

/// What lies where in the guest's physical address space.
///
/// RAM from 0 up to 3 GiB, then a hole for devices, and the rest of RAM from 4 GiB on.
public enum PhysicalLayout {
    /// End of RAM below the hole, for guests that have as much.
    public static let lowMemoryEnd: UInt64 = 0xc000_0000

    /// Memory-mapped registers of devices that need addresses below 4 GiB.
    public static let mmio32: Range<UInt64> = 0xc000_0000..<0xe000_0000

    /// Configuration space of PCI devices: a page for each of 256 functions of bus 0.
    public static let pciConfiguration: Range<UInt64> =
        0xe000_0000..<(0xe000_0000 + PCIBus.windowSize)

    /// RAM with the ACPI tables, where a PC has its firmware.
    public static let firmwareTables: Range<UInt64> = 0xe_0000..<0x10_0000

    /// Registers of the IOAPIC.
    public static let ioAPIC: UInt64 = 0xfec0_0000

    /// Registers of the local APIC, and where message interrupts are written to.
    public static let localAPIC: UInt64 = 0xfee0_0000

    /// A page that KVM needs on Intel processors without unrestricted guest mode; the three pages
    /// for its task state follow. No address of the guest's own.
    public static let identityMap: UInt64 = 0xfffb_c000

    /// Three pages for KVM's task state, directly behind the identity map.
    public static let taskState: UInt64 = 0xfffb_d000

    /// All that KVM keeps for itself.
    public static let kvmPages: Range<UInt64> = 0xfffb_c000..<0xfffc_0000

    /// Start of RAM above the hole.
    public static let highMemoryStart: UInt64 = 0x1_0000_0000

    /// Memory-mapped registers of devices that take any address: 64 GiB above RAM. It depends on
    /// nothing but the size of RAM, so that it is the same at both ends of a migration.
    public static func mmio64(memorySize: UInt64) -> Range<UInt64> {
        let highEnd = highMemoryStart + (memorySize - min(memorySize, lowMemoryEnd))
        let start = (highEnd + mmio64Size - 1) / mmio64Size * mmio64Size
        return start..<(start + mmio64Size)
    }

    /// The regions of RAM of a guest: one, or two where there is more than fits below the hole.
    ///
    /// - Parameter memorySize: bytes; at most `memoryLimit`.
    public static func regions(memorySize: UInt64) -> [RegionLayout] {
        let low = min(memorySize, lowMemoryEnd)
        var regions = [RegionLayout(slot: 0, start: GuestAddress(0), size: low, fileOffset: 0)]
        if memorySize > low {
            regions.append(
                RegionLayout(
                    slot: 1, start: GuestAddress(highMemoryStart), size: memorySize - low,
                    fileOffset: low))
        }
        return regions
    }

    /// The most RAM that a guest can have, in bytes: 46 bits of physical address hold it with room
    /// for the registers above. A processor with fewer bits has a lower limit of its own.
    public static let memoryLimit: UInt64 = 32 << 40

    private static let mmio64Size: UInt64 = 64 << 30
}
