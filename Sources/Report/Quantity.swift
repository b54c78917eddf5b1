/// What an axis counts.
enum Quantity {
    case bytes
    case bytesPerSecond
    case milliseconds
    case percent

    /// A value with its unit.
    func text(_ value: Double) -> String {
        switch self {
        case .bytes: value == 0 ? "0" : Amount.bytes(Self.whole(value))
        case .bytesPerSecond: value == 0 ? "0" : Amount.bytes(Self.whole(value)) + "/s"
        case .milliseconds: value == 0 ? "0" : Amount.time(milliseconds: value)
        // More is no share of anything: such a timeline is wrong, and its page stays readable.
        case .percent: value > 999 ? "over 999 %" : "\(Self.whole(value)) %"
        }
    }

    /// What the steps between ticks are made of: binary units for bytes, decimal ones elsewhere.
    private var base: Double {
        switch self {
        case .bytes, .bytesPerSecond: 1024
        case .milliseconds, .percent: 1000
        }
    }

    /// About `count` round values from 0 on, of which the last is not below `maximum`.
    func ticks(upTo maximum: Double, count: Int) -> [Double] {
        if case .percent = self { return [0, 25, 50, 75, 100] }
        guard maximum > 0, maximum.isFinite else { return [0, 1] }
        // Beyond these there is nothing to measure, and numbers lose their meaning.
        let maximum = min(max(maximum, 1e-3), 1e21)
        var unit = 1.0
        while unit * base <= maximum { unit *= base }
        while unit > maximum { unit /= base }
        let wanted = maximum / unit / Double(max(count, 1))
        var step = 0.001
        search: while true {
            for factor in [1.0, 2, 5] where step * factor >= wanted {
                step *= factor
                break search
            }
            step *= 10
        }
        let last = Int((maximum / unit / step).rounded(.up))
        return (0...max(last, 1)).map { Double($0) * step * unit }
    }

    /// Powers of ten around the values, of which the first is not above `minimum` and the last not
    /// below `maximum`.
    static func powersOfTen(from minimum: Double, to maximum: Double) -> [Double] {
        var first = 1.0
        while first > minimum, first > 1e-3 { first /= 10 }
        while first * 10 <= minimum, first < 1e12 { first *= 10 }
        var ticks = [first]
        while ticks[ticks.count - 1] < maximum, ticks.count < 16 {
            ticks.append(ticks[ticks.count - 1] * 10)
        }
        if ticks.count == 1 { ticks.append(first * 10) }
        return ticks
    }

    private static func whole(_ value: Double) -> UInt64 {
        guard value > 0 else { return 0 }
        return UInt64(exactly: value.rounded()) ?? .max
    }
}

/// A length in a drawing, as SVG has it: a tenth of a pixel is fine enough.
func length(_ value: Double) -> String {
    guard value.isFinite else { return "0" }
    let tenths = Int((min(max(value, -1e6), 1e6) * 10).rounded())
    let sign = tenths < 0 ? "-" : ""
    let (whole, rest) = (abs(tenths) / 10, abs(tenths) % 10)
    return rest == 0 ? "\(sign)\(whole)" : "\(sign)\(whole).\(rest)"
}
