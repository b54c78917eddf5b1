/// A window of addresses behind the host bridge, in which ranges of functions find a place.
struct AddressWindow {
    let range: Range<UInt64>

    /// The lowest place for a range of addresses.
    ///
    /// - Parameters:
    ///   - size: a power of two; the range is aligned to it.
    ///   - limit: the range ends at or below it.
    ///   - taken: where other ranges are, in any order; they may overlap each other.
    /// - Returns: its start, or nil when the window has no room.
    func place(
        for size: UInt64, below limit: UInt64, avoiding taken: [Range<UInt64>]
    ) -> UInt64? {
        var next = range.lowerBound
        // Ascending, so that one pass meets all obstacles of every place that it tries.
        for obstacle in taken.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            guard let candidate = Self.aligned(next, to: size, below: limit) else { return nil }
            guard obstacle.upperBound > candidate.lowerBound else { continue }
            if obstacle.lowerBound >= candidate.upperBound { break }
            next = obstacle.upperBound
        }
        guard let found = Self.aligned(next, to: size, below: limit),
            found.upperBound <= range.upperBound
        else { return nil }
        return found.lowerBound
    }

    private static func aligned(
        _ address: UInt64, to size: UInt64, below limit: UInt64
    ) -> Range<UInt64>? {
        let (padded, wraps) = address.addingReportingOverflow(size - 1)
        let start = padded & ~(size - 1)
        let (end, overflows) = start.addingReportingOverflow(size)
        guard !wraps, !overflows, end <= limit else { return nil }
        return start..<end
    }
}
