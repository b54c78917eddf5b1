/// What one base address register (BAR) of a function decodes: a range of memory addresses.
public struct BaseAddressRegister: Hashable, Sendable {
    /// How wide the addresses of a range can be.
    public enum Width: Hashable, Sendable {
        /// Below 4 GiB; takes one register.
        case bits32
        /// Anywhere; takes the register and the next one.
        case bits64
    }

    /// Number of the (first) register, 0 to 5, or 0 to 4 for one of 64 bits.
    public let index: Int

    /// How wide its addresses are.
    public let width: Width

    /// Length of the range in bytes: a power of two, at least 4096, so that ranges of different
    /// functions never share a page of the guest.
    public let size: UInt64

    /// A register of a memory range. Wrong values are a mistake of the device's author.
    public init(index: Int, width: Width, size: UInt64) {
        precondition(index >= 0 && index <= (width == .bits64 ? 4 : 5))
        precondition(size.nonzeroBitCount == 1 && size >= 4096)
        precondition(width == .bits64 || size <= 1 << 31)
        self.index = index
        self.width = width
        self.size = size
    }

    /// Offset of the (first) register in the configuration space.
    var offset: Int { ConfigurationSpace.Offset.baseAddresses + 4 * index }

    /// The read-only low bits: a memory range, its width, not prefetchable.
    var typeBits: UInt32 { width == .bits64 ? 0b100 : 0 }

    /// The bits of an address that a guest can change. All lower ones read as 0, which is how it
    /// finds the size.
    var addressMask: UInt64 { ~(size - 1) & (width == .bits64 ? .max : 0xFFFF_FFFF) }
}
