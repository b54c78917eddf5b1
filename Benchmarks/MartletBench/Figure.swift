/// One figure that a benchmark saw, and what it ought to be.
struct Figure: Encodable {
    /// What was measured, in lower case with underscores.
    let name: String
    /// The median of `samples`.
    let value: Double
    /// The unit of value, goal and samples.
    let unit: String
    /// What it ought to be.
    let goal: Goal
    /// All that was seen, in the order in which it was seen.
    let samples: [Double]

    /// Where a figure must lie.
    enum Goal {
        /// Larger is better.
        case atLeast(Double)
        /// Smaller is better.
        case atMost(Double)
    }

    /// A figure of which something was seen.
    init(_ name: String, _ samples: [Double], _ unit: String, _ goal: Goal) {
        self.name = name
        value = median(samples)
        self.unit = unit
        self.goal = goal
        self.samples = samples
    }

    /// Whether the goal was reached.
    var isMet: Bool {
        switch goal {
        case .atLeast(let bound): value >= bound
        case .atMost(let bound): value <= bound
        }
    }

    /// `name value unit goal met|missed`.
    var line: String {
        let sign =
            switch goal {
            case .atLeast: ">="
            case .atMost: "<="
            }
        return "\(name) \(decimal(value)) \(unit) \(sign)\(decimal(goal.bound)) "
            + (isMet ? "met" : "missed")
    }

    private enum CodingKeys: String, CodingKey {
        case name, value, unit, goal, direction, met, samples
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(value, forKey: .value)
        try container.encode(unit, forKey: .unit)
        try container.encode(goal.bound, forKey: .goal)
        try container.encode(goal.direction, forKey: .direction)
        try container.encode(isMet, forKey: .met)
        try container.encode(samples, forKey: .samples)
    }
}

extension Figure.Goal {
    fileprivate var bound: Double {
        switch self {
        case .atLeast(let bound), .atMost(let bound): bound
        }
    }

    fileprivate var direction: String {
        switch self {
        case .atLeast: "at-least"
        case .atMost: "at-most"
        }
    }
}

/// The middle one of some values, or the mean of the two in the middle; 0 of none.
func median(_ values: [Double]) -> Double {
    guard !values.isEmpty else { return 0 }
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/// A number with three digits after the point.
func decimal(_ value: Double) -> String {
    let thousandths = Int((value * 1000).rounded())
    let fraction = String(thousandths.magnitude % 1000)
    return "\(thousandths < 0 ? "-" : "")\(thousandths.magnitude / 1000)."
        + String(repeating: "0", count: 3 - fraction.count) + fraction
}
