/// Why a device cannot be placed on a bus.
public enum BusError: Error, Hashable, Sendable {
    /// The range has no addresses.
    case empty(at: UInt64)

    /// Another device already claims part of the range.
    case overlap(Range<UInt64>, with: Range<UInt64>)
}

extension BusError: CustomStringConvertible {
    /// One sentence with the addresses.
    public var description: String {
        switch self {
        case .empty(let address):
            "A device cannot be placed at \(hexadecimal(address)): its range is empty"
        case .overlap(let range, let other):
            "A device cannot be placed at \(text(range)): another one answers at \(text(other))"
        }
    }

    private func text(_ range: Range<UInt64>) -> String {
        "\(hexadecimal(range.lowerBound))..<\(hexadecimal(range.upperBound))"
    }
}
