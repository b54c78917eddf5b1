private import Synchronization

/// Finds the device behind an address, for the ports or for the memory-mapped addresses of a
/// guest.
///
/// An access belongs to the device that claims its first byte. So a device can sit inside what
/// another one reaches with wider accesses, as the reset port 0xcf9 does within the doubleword of
/// the PCI address port 0xcf8.
///
/// Devices come and go while vCPUs run, when the guest moves a BAR. Accesses that nobody claims
/// read as all ones, and writes are dropped, as on a PC.
public final class IOBus: Sendable {
    private struct Entry {
        let range: Range<UInt64>
        let device: any BusDevice
    }

    /// Ascending and without overlap.
    private let entries = Mutex<[Entry]>([])

    /// An empty bus.
    public init() {}

    /// Lets `device` answer at `range`, which must not be empty.
    ///
    /// - Throws: `BusError.overlap` when another device claims an address of it.
    public func insert(_ device: any BusDevice, at range: Range<UInt64>) throws(BusError) {
        guard !range.isEmpty else { throw .empty(at: range.lowerBound) }
        let obstacle = entries.withLock { entries -> Range<UInt64>? in
            let index = Self.firstIndex(endingAfter: range.lowerBound, in: entries)
            if index < entries.count, entries[index].range.lowerBound < range.upperBound {
                return entries[index].range
            }
            entries.insert(Entry(range: range, device: device), at: index)
            return nil
        }
        if let obstacle { throw .overlap(range, with: obstacle) }
    }

    /// Takes out the device that was inserted at exactly `range`; without effect if there is none.
    /// A call into it that has begun on another thread may still be under way.
    public func remove(at range: Range<UInt64>) {
        entries.withLock { entries in
            entries.removeAll { $0.range == range }
        }
    }

    /// Reads for the guest.
    ///
    /// - Parameter width: 1, 2, 4 or 8.
    /// - Returns: the device's value cut to `width`, or as many ones.
    public func read(at address: UInt64, width: Int) -> UInt64 {
        let mask = Self.mask(width)
        guard let (device, offset) = device(at: address) else { return mask }
        return device.read(offset: offset, width: width) & mask
    }

    /// Writes for the guest.
    ///
    /// - Parameter width: 1, 2, 4 or 8; the rest of `value` is ignored.
    public func write(at address: UInt64, width: Int, value: UInt64) {
        guard let (device, offset) = device(at: address) else { return }
        device.write(offset: offset, width: width, value: value & Self.mask(width))
    }

    private func device(at address: UInt64) -> (any BusDevice, offset: UInt64)? {
        entries.withLock { entries in
            let index = Self.firstIndex(endingAfter: address, in: entries)
            guard index < entries.count, entries[index].range.contains(address) else { return nil }
            return (entries[index].device, address - entries[index].range.lowerBound)
        }
    }

    /// The first entry whose range ends beyond `address`, by binary search.
    private static func firstIndex(endingAfter address: UInt64, in entries: [Entry]) -> Int {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].range.upperBound > address {
                high = middle
            } else {
                low = middle + 1
            }
        }
        return low
    }

    private static func mask(_ width: Int) -> UInt64 {
        width >= 8 ? .max : (1 << UInt64(width * 8)) - 1
    }
}
