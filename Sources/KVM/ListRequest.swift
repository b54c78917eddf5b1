internal import CLinux
import LinuxSystem

/// A request whose argument is a header, which starts with the number of entries, followed by the
/// entries. `Entry` is one of the kernel's structures or an integer.
struct ListRequest<Entry> {
    /// Bytes before the entries, of which the first 4 are the count and the others 0.
    let headerSize: Int
    /// How many entries the kernel is told of before, and tells of after.
    private(set) var count: UInt32
    /// The entries. As many as there is room for, before; those the kernel left, after.
    private(set) var entries: [Entry]

    /// A request with these entries, all of which count.
    init(_ entries: [Entry], headerSize: Int = 8) {
        self.headerSize = headerSize
        self.count = UInt32(clamping: entries.count)
        self.entries = entries
    }

    /// The entries that the kernel has told of.
    var results: ArraySlice<Entry> { entries.prefix(Int(count)) }

    /// Performs the request. Count and entries are then as the kernel left them.
    /// - Returns: The kernel's result, or `-errno`.
    mutating func perform(_ number: UInt, on descriptor: borrowing OwnedDescriptor) -> Int32 {
        let entriesSize = entries.count * MemoryLayout<Entry>.stride
        let rawValue = descriptor.rawValue
        // SAFETY: the memory holds the header and all entries, and every access is within it; the
        // kernel touches no more entries than the count, which is that of the entries.
        return unsafe withUnsafeTemporaryAllocation(
            byteCount: headerSize + entriesSize, alignment: 16
        ) { memory in
            guard let base = memory.baseAddress else { return -Errno.noMemory.rawValue }
            unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
            unsafe base.storeBytes(of: count, as: UInt32.self)
            let place = unsafe UnsafeMutableRawBufferPointer(rebasing: memory[headerSize...])
            unsafe entries.withUnsafeBytes { unsafe place.copyMemory(from: $0) }
            var result: Int32
            repeat {
                result = unsafe clinux_ioctl_pointer(rawValue, number, base)
            } while result == -Errno.interrupted.rawValue
            count = unsafe base.load(as: UInt32.self)
            unsafe entries.withUnsafeMutableBytes {
                unsafe $0.copyMemory(from: UnsafeRawBufferPointer(place))
            }
            return result
        }
    }
}
