/// Spreads operations evenly over time.
struct Pace {
    private let rate: UInt64?
    private let kilohertz: UInt64
    private let catchUp: UInt64
    private var last: UInt64
    /// Operations due, times cycles per second.
    private var credit: UInt64 = 0

    /// - Parameters:
    ///   - rate: operations per second; nil: no limit.
    ///   - catchUp: how much lost time is made up for, in milliseconds.
    init(rate: UInt64?, clock: Clock, catchUp: UInt64) {
        self.rate = rate
        kilohertz = clock.kilohertz
        self.catchUp = catchUp &* clock.kilohertz
        last = clock.now
    }

    /// How many operations are due, at most `limit`; they count as done.
    mutating func due(at now: UInt64, limit: UInt64) -> UInt64 {
        guard let rate else { return limit }
        let passed = now > last ? min(now - last, catchUp) : 0
        last = now
        let price = kilohertz &* 1000
        credit = min(credit &+ passed &* rate, catchUp &* rate)
        let count = min(credit / price, limit)
        credit -= count * price
        return count
    }
}
