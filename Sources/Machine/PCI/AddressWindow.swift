/// Gives out addresses of a window from its start on, each range aligned to its size.
struct AddressWindow {
    private var next: UInt64
    private let end: UInt64

    /// A window of which nothing was given out.
    init(_ range: Range<UInt64>) {
        next = range.lowerBound
        end = range.upperBound
    }

    /// Takes a range of addresses.
    ///
    /// - Parameters:
    ///   - size: a power of two.
    ///   - limit: the range ends at or below it.
    /// - Returns: its start, or nil when the window has no room.
    mutating func take(_ size: UInt64, below limit: UInt64) -> UInt64? {
        let (padded, wraps) = next.addingReportingOverflow(size - 1)
        let start = padded & ~(size - 1)
        let (rangeEnd, overflows) = start.addingReportingOverflow(size)
        guard !wraps, !overflows, rangeEnd <= min(end, limit) else { return nil }
        next = rangeEnd
        return start
    }
}
