public import GuestMemory
import KVM
import LinuxSystem

/// Mapping memory for the guest ahead of its first accesses.
///
/// The processors find the guest's memory through page tables of the kernel's which are filled by
/// faults: a guest that arrives has a fault for each page it touches, thousands of them in the first
/// milliseconds. A destination has time for that before.
extension Platform {
    /// Whether the kernel can do it.
    public var mapsMemoryAhead: Bool {
        kernel.machine.value(of: .memoryMappingAhead) != 0
    }

    /// Maps memory, while the processors are paused. Only what has pages already: it would take
    /// memory otherwise.
    ///
    /// - Parameters:
    ///   - range: in RAM, of whole pages.
    ///   - isStopped: asked every 2 MiB; true ends it.
    public func mapMemory(
        _ range: GuestRange, until isStopped: () -> Bool
    ) throws(PlatformError) {
        guard let processor = processors.first else { return }
        var address = range.start.rawValue
        while address < range.end.rawValue, !isStopped() {
            let count = min(range.end.rawValue - address, 2 << 20)
            address += try platform { () throws(SystemError) in
                try processor.hardware.mapMemory(at: address, count: count)
            }
        }
    }
}
