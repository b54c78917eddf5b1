/// A figure that Prometheus can collect, for one or several things of a kind.
///
/// Names and units follow Prometheus' conventions ("Metric and label naming"): a prefix, base units
/// (seconds, bytes, ratios from 0 to 1), and `_total` at the end of what only grows.
public struct Metric: Equatable, Sendable {
    /// What a figure can do.
    public enum Kind: String, Sendable {
        /// It only grows, until the process ends.
        case counter
        /// It goes up and down.
        case gauge
    }

    /// The figure of one thing.
    public struct Sample: Equatable, Sendable {
        /// A property that tells the thing from others.
        public struct Label: Equatable, Sendable {
            /// What the property is called.
            public var name: String
            /// What it is; any text.
            public var value: String
        }

        /// What tells the thing from others.
        public var labels: [Label]
        /// The figure.
        public var value: Double
    }

    /// The name: letters, digits and underscores.
    public let name: String
    /// What the figure can do.
    public let kind: Kind
    /// What it means, in one sentence.
    public let help: String
    /// The figures.
    public private(set) var samples: [Sample] = []

    /// A metric without figures, which is left out of a page.
    public init(_ kind: Kind, _ name: String, _ help: String) {
        self.name = name
        self.kind = kind
        self.help = help
    }

    /// A metric with one figure, if it is known.
    public init(_ kind: Kind, _ name: String, _ help: String, _ value: (some BinaryInteger)?) {
        self.init(kind, name, help, value.map { Double($0) })
    }

    /// A metric with one figure, if it is known.
    public init(_ kind: Kind, _ name: String, _ help: String, _ value: Double?) {
        self.init(kind, name, help)
        if let value { add(value) }
    }

    /// Adds the figure of one thing.
    public mutating func add(_ value: Double, _ labels: KeyValuePairs<String, String> = [:]) {
        samples.append(
            Sample(labels: labels.map { Sample.Label(name: $0, value: $1) }, value: value))
    }

    /// Adds a figure for each of several states: 1 for the one that it is in, else 0.
    public mutating func add(
        _ state: String, of states: [String], as label: String,
        _ labels: KeyValuePairs<String, String> = [:]
    ) {
        for other in states {
            samples.append(
                Sample(
                    labels: labels.map { Sample.Label(name: $0, value: $1) }
                        + [Sample.Label(name: label, value: other)],
                    value: other == state ? 1 : 0))
        }
    }
}

/// Metrics as Prometheus reads them: its text format, version 0.0.4 ("Exposition formats").
public struct MetricsPage: Equatable, Sendable {
    /// The media type of the page.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// What is on the page.
    public var metrics: [Metric]

    /// A page with these metrics.
    public init(_ metrics: [Metric] = []) {
        self.metrics = metrics
    }

    /// The page.
    public var text: String {
        var text = ""
        for metric in metrics where !metric.samples.isEmpty {
            text += "# HELP \(metric.name) \(Self.escaped(metric.help))\n"
            text += "# TYPE \(metric.name) \(metric.kind.rawValue)\n"
            for sample in metric.samples {
                text += "\(metric.name)\(Self.labels(sample.labels)) \(Self.number(sample.value))\n"
            }
        }
        return text
    }

    private static func labels(_ labels: [Metric.Sample.Label]) -> String {
        guard !labels.isEmpty else { return "" }
        let texts = labels.map { label in
            "\(label.name)=\"\(escaped(label.value).replacing("\"", with: "\\\""))\""
        }
        return "{\(texts.joined(separator: ","))}"
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
    }

    /// Whole numbers without a point, as people expect them.
    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        guard value.isFinite else { return value < 0 ? "-Inf" : "+Inf" }
        if let whole = Int64(exactly: value), abs(whole) < 1 << 53 { return "\(whole)" }
        return "\(value)"
    }
}
