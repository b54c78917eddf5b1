/// Numbers as people read them: three digits and a unit.
public enum Amount {
    /// Bytes in binary units: `512 MiB`, `1.5 GiB`.
    public static func bytes(_ count: UInt64) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
        var value = Double(count)
        var unit = 0
        while value >= 1024, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return "\(digits(value)) \(units[unit])"
    }

    /// A time given in milliseconds: `800 us`, `12.3 s`.
    public static func time(milliseconds: Double) -> String {
        switch milliseconds {
        case ..<1: "\(digits(milliseconds * 1000)) us"
        case ..<1000: "\(digits(milliseconds)) ms"
        case ..<120_000: "\(digits(milliseconds / 1000)) s"
        case ..<7_200_000: "\(digits(milliseconds / 60_000)) min"
        case ..<172_800_000: "\(digits(milliseconds / 3_600_000)) h"
        case ..<86_400_000_000: "\(digits(milliseconds / 86_400_000)) d"
        // Nobody waits so long: a timeline that says so is wrong, and its page stays readable.
        default: "years"
        }
    }

    /// At least three digits, and no more behind the point than that takes.
    private static func digits(_ value: Double) -> String {
        let scale: Double = value >= 100 ? 1 : value >= 10 ? 10 : 100
        let scaled = (value * scale).rounded()
        guard scaled.isFinite, scaled < 1e15 else { return "\(value)" }
        let whole = Int(scaled / scale)
        let fraction = Int(scaled) - whole * Int(scale)
        guard fraction > 0 else { return "\(whole)" }
        let padded = String(fraction + Int(scale)).dropFirst()
        return "\(whole).\(padded.withoutTrailingZeros)"
    }
}

extension Substring {
    /// The digits without the zeros at the end, which say nothing behind a point.
    fileprivate var withoutTrailingZeros: Substring {
        var rest = self
        while rest.last == "0" { rest = rest.dropLast() }
        return rest
    }
}
