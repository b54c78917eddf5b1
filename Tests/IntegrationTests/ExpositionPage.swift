import Testing

/// Reads Prometheus' text format, version 0.0.4, and takes nothing that is not exactly in it:
/// each metric with its help and type before its figures, once; names, labels and numbers as the
/// format has them; no figure twice; counters that end in `_total`, and nothing else that does.
struct ExpositionPage {
    private struct Figure: Hashable {
        var name: String
        var labels: [String: String]
    }

    /// What is wrong with a page.
    struct Fault: Error {
        var line: String
        var reason: String
    }

    private var kinds: [String: String] = [:]
    private var values: [Figure: Double] = [:]

    init(_ text: String) throws {
        guard text.hasSuffix("\n") else { throw Fault(line: "", reason: "no end of line") }
        var current = ""
        var helped: Set<String> = []
        for line in text.dropLast().split(separator: "\n", omittingEmptySubsequences: false) {
            func check(_ condition: Bool, _ reason: String) throws {
                guard condition else { throw Fault(line: String(line), reason: reason) }
            }
            let words = line.split(separator: " ", maxSplits: 3)
            if line.hasPrefix("# HELP ") {
                try check(words.count == 4, "no help")
                current = String(words[2])
                try check(helped.insert(current).inserted, "help twice")
                try check(Self.isName(current), "not a name")
            } else if line.hasPrefix("# TYPE ") {
                try check(words.count == 4 && words[2] == current, "type of another metric")
                try check(kinds[current] == nil, "type twice")
                try check(["counter", "gauge"].contains(words[3]), "unknown type")
                try check((words[3] == "counter") == current.hasSuffix("_total"), "suffix")
                kinds[current] = String(words[3])
            } else {
                let (figure, value) = try Self.figure(line)
                try check(figure.name == current && kinds[current] != nil, "out of order")
                try check(values[figure] == nil, "figure twice")
                try check(kinds[current] == "gauge" || value >= 0, "negative counter")
                values[figure] = value
            }
        }
        for name in kinds.keys where self[name] == nil {
            throw Fault(line: name, reason: "no figures")
        }
    }

    /// All figures of a metric.
    subscript(name: String) -> [Double]? {
        let found = values.filter { $0.key.name == name }.map(\.value)
        return found.isEmpty ? nil : found
    }

    /// One figure.
    func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        values[Figure(name: name, labels: labels)]
    }

    private static func isName(_ text: String) -> Bool {
        text.wholeMatch(of: /[a-z][a-z0-9_]*/) != nil
    }

    private static func figure(_ line: Substring) throws -> (Figure, Double) {
        guard
            let match = line.wholeMatch(
                of: /([a-z][a-z0-9_]*)(?:\{((?:[a-z_]+="(?:[^"\\]|\\[\\"n])*",?)+)\})? ([^ ]+)/),
            let value = Double(match.3), !value.isNaN
        else { throw Fault(line: String(line), reason: "not a figure") }
        var labels: [String: String] = [:]
        for label in (match.2 ?? "").matches(of: /([a-z_]+)="((?:[^"\\]|\\[\\"n])*)"/) {
            guard labels.updateValue(String(label.2), forKey: String(label.1)) == nil else {
                throw Fault(line: String(line), reason: "label twice")
            }
        }
        return (Figure(name: String(match.1), labels: labels), value)
    }
}
