import GuestMemory

/// One line of the memory map that a guest is booted with.
struct MemoryMapEntry: Hashable {
    /// What the addresses are for. The numbers are those of the PC BIOS's e820 call, which PVH
    /// has taken over.
    enum Kind: UInt32 {
        case ram = 1
        case reserved = 2
    }

    var start: UInt64
    var length: UInt64
    var kind: Kind
}

/// The memory map of a guest with these regions of RAM.
///
/// The last 384 KiB of the first megabyte are left out, as guests expect ROMs and video memory
/// there. The ACPI tables in it are named, so that they stay, and the PCI configuration space,
/// because Linux uses only one that is reserved.
func memoryMap(of regions: [RegionLayout]) -> [MemoryMapEntry] {
    var map: [MemoryMapEntry] = []
    for region in regions {
        let start = region.start.rawValue
        guard start < BootLayout.highStart else {
            map.append(MemoryMapEntry(start: start, length: region.size, kind: .ram))
            continue
        }
        let end = start + region.size
        let conventionalEnd = min(end, BootLayout.conventionalEnd)
        if start < conventionalEnd {
            map.append(
                MemoryMapEntry(start: start, length: conventionalEnd - start, kind: .ram))
        }
        if end > BootLayout.highStart {
            map.append(
                MemoryMapEntry(
                    start: BootLayout.highStart, length: end - BootLayout.highStart, kind: .ram))
        }
    }
    for range in [
        PhysicalLayout.firmwareTables, PhysicalLayout.pciConfiguration, PhysicalLayout.kvmPages,
    ] {
        map.append(
            MemoryMapEntry(
                start: range.lowerBound, length: range.upperBound - range.lowerBound,
                kind: .reserved))
    }
    return map.sorted { $0.start < $1.start }
}
