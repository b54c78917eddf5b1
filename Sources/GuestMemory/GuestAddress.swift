/// An address in the guest's physical address space.
public struct GuestAddress: RawRepresentable, Hashable, Comparable, Sendable {
    /// Bytes from guest physical address 0.
    public let rawValue: UInt64

    /// Wraps a guest physical address; any value is allowed, also one outside RAM.
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// Wraps a guest physical address; any value is allowed, also one outside RAM.
    public init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// The address `bytes` further up, or nil where the address space ends before it.
    public func advanced(by bytes: UInt64) -> GuestAddress? {
        let (sum, overflow) = rawValue.addingReportingOverflow(bytes)
        return overflow ? nil : GuestAddress(sum)
    }

    /// Orders addresses from low to high.
    public static func < (left: GuestAddress, right: GuestAddress) -> Bool {
        left.rawValue < right.rawValue
    }
}

extension GuestAddress: CustomStringConvertible {
    /// The address in hexadecimal.
    public var description: String { "0x" + String(rawValue, radix: 16) }
}

/// A run of guest physical addresses which does not wrap around.
public struct GuestRange: Hashable, Sendable {
    /// First address.
    public let start: GuestAddress

    /// Length in bytes; 0 for an empty range.
    public let length: UInt64

    /// The range of `length` bytes from `start`, or nil when it would pass the end of the address
    /// space.
    public init?(start: GuestAddress, length: UInt64) {
        guard start.advanced(by: length) != nil else { return nil }
        self.start = start
        self.length = length
    }

    /// First address after the range.
    public var end: GuestAddress { GuestAddress(start.rawValue + length) }

    /// Tells whether all of `other` lies inside.
    public func contains(_ other: GuestRange) -> Bool {
        other.start >= start && other.end <= end
    }
}

extension GuestRange: CustomStringConvertible {
    /// First address and length, in hexadecimal.
    public var description: String { "\(start)+0x" + String(length, radix: 16) }
}
