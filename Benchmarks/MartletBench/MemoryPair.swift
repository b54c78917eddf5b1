import Glibc
import GuestMemory
import LinuxSystem
import Machine

/// Two memories of the same size, the first full of contents that cannot be compressed, both
/// touched: what a bare pump moves from one to the other, and the RAM of both ends of a QEMU.
final class MemoryPair: Sendable {
    /// What is sent.
    let source: GuestRAM
    /// What it is received into.
    let destination: GuestRAM

    /// A pair of so many bytes each.
    init(byteCount: UInt64) throws {
        let layout = PhysicalLayout.regions(memorySize: byteCount)
        source = try GuestRAM(layout: layout, backing: .sharedFile(hugePages: nil))
        destination = try GuestRAM(layout: layout, backing: .sharedFile(hugePages: nil))
        try source.populate()
        try destination.populate()
        var random = UInt64(byteCount)
        for region in source.regions {
            // SAFETY: inside the region, which lives as long as this object.
            let words = unsafe UnsafeMutableRawBufferPointer(
                start: region.segment.baseAddress, count: region.segment.count
            ).bindMemory(to: UInt64.self)
            for index in words.indices {
                // SplitMix64: Guy Steele, Doug Lea, Christine Flood, "Fast splittable
                // pseudorandom number generators", 2014.
                random &+= 0x9E37_79B9_7F4A_7C15
                var word = (random ^ (random >> 30)) &* 0xBF58_476D_1CE4_E5B9
                word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
                unsafe words[index] = word ^ (word >> 31)
            }
        }
    }

    /// Bytes of each.
    var byteCount: UInt64 { source.byteCount }

    /// Where another process of the same user opens the file behind one of the two, as long as this
    /// object lives.
    func path(of memory: GuestRAM) throws(BenchmarkError) -> String {
        guard let file = memory.regions.first?.file else {
            throw .unexpected("Memory has no file")
        }
        return "/proc/\(getpid())/fd/\(file.descriptor.rawValue)"
    }
}
