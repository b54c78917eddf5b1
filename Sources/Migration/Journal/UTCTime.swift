/// A point in time as people write it: `2026-11-21T16:00:00Z`.
public struct UTCTime: CustomStringConvertible, Sendable {
    private let seconds: UInt64

    /// Seconds since 1970-01-01 00:00 UTC.
    public init(seconds: UInt64) {
        self.seconds = seconds
    }

    /// ISO 8601, in UTC.
    public var description: String {
        // Nothing later than the year 9999, so that the years can be counted.
        let clamped = min(seconds, 253_402_300_799)
        var days = clamped / 86_400
        var year: UInt64 = 1970
        while days >= Self.days(in: year) {
            days -= Self.days(in: year)
            year += 1
        }
        var month = 1
        for length in Self.months(in: year) {
            guard days >= length else { break }
            days -= length
            month += 1
        }
        let time = clamped % 86_400
        let hours = Self.digits(time / 3600)
        return "\(year)-\(Self.digits(UInt64(month)))-\(Self.digits(days + 1))"
            + "T\(hours):\(Self.digits(time / 60 % 60)):\(Self.digits(time % 60))Z"
    }

    private static func months(in year: UInt64) -> [UInt64] {
        [31, days(in: year) - 337, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    }

    private static func days(in year: UInt64) -> UInt64 {
        year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 366 : 365
    }

    private static func digits(_ number: UInt64) -> String {
        number < 10 ? "0\(number)" : "\(number)"
    }
}
