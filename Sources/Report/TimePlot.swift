import Glibc

/// Curves over the time of a migration, as a drawing without any script.
struct TimePlot {
    /// One curve.
    struct Series {
        /// What it is, in the legend.
        var name: String
        /// Names its colour in the style sheet.
        var color: String
        /// Times in milliseconds and values; no value where nothing is known.
        var points: [(at: Double, value: Double?)]
        /// Whether each value holds until the next one.
        var isStepped = false
        /// Whether the area below is filled.
        var isFilled = false
    }

    /// A value that is drawn across the whole plot.
    struct Threshold {
        var value: Double
        var name: String
    }

    /// Names the plot in the page.
    var name: String
    /// What people read above it.
    var title: String
    /// What the page says about it.
    var explanation: String
    var quantity: Quantity
    var series: [Series]
    var threshold: Threshold?
    /// Whether each tick is ten times the one before.
    var isLogarithmic = false

    static let width = 960.0
    static let left = 78.0
    static let right = 14.0
    private static let top = 12.0
    private static let height = 190.0
    private static let bottom = 26.0

    /// Most points of a curve: more than there are pixels are of no use.
    private static let pointLimit = 1200
    /// Places at which the values can be looked up.
    private static let columns = 120

    /// The horizontal place of a time.
    static func x(_ at: Double, _ axis: TimeAxis) -> Double {
        left + (width - left - right) * min(max(at / axis.end, 0), 1)
    }

    /// The plot with its title and legend.
    func markup(_ axis: TimeAxis) -> Markup {
        .element("figure", ["id": name, "class": "plot"]) {
            Markup.element("figcaption") {
                Markup.element("h3") { title }
                Markup.element("p") { explanation }
                Markup.element("ul", ["class": "legend"]) {
                    for series in series {
                        Markup.element("li") {
                            Markup.element("i", ["class": "swatch \(series.color)"])
                            series.name
                        }
                    }
                }
            }
            if series.contains(where: { $0.points.contains { $0.value != nil } }) {
                drawing(axis)
            } else {
                Markup.element("p", ["class": "none"]) { "Nothing was measured." }
            }
        }
    }

    private func drawing(_ axis: TimeAxis) -> Markup {
        let ticks = ticks
        return .element(
            "svg",
            [
                "viewBox": "0 0 \(length(Self.width)) \(length(Self.height))", "role": "img",
                "aria-label": "\(title): \(explanation)",
            ]
        ) {
            for tick in ticks { gridLine(tick, ticks) }
            axis.markup(top: Self.top, bottom: Self.height - Self.bottom)
            if let threshold, isInside(threshold.value, ticks) {
                mark(threshold, ticks)
            }
            for series in series { curve(series, axis, ticks) }
            for column in 0..<Self.columns { lookUp(column, axis, ticks) }
        }
    }

    // MARK: - The vertical axis

    private var ticks: [Double] {
        var values = series.flatMap { $0.points.compactMap(\.value) }.filter(\.isFinite)
        if isLogarithmic {
            if let threshold { values.append(threshold.value) }
            let positive = values.filter { $0 > 0 }
            return Quantity.powersOfTen(
                from: positive.min() ?? 1, to: max(positive.max() ?? 1, 1))
        }
        return quantity.ticks(upTo: values.max() ?? 0, count: 4)
    }

    private func y(_ value: Double, _ ticks: [Double]) -> Double {
        let span = Self.height - Self.top - Self.bottom
        let last = ticks[ticks.count - 1]
        let share: Double
        if isLogarithmic {
            share = log10(max(value, ticks[0]) / ticks[0]) / Double(max(ticks.count - 1, 1))
        } else {
            share = last > 0 ? value / last : 0
        }
        return Self.height - Self.bottom - span * min(max(share, 0), 1)
    }

    private func isInside(_ value: Double, _ ticks: [Double]) -> Bool {
        value >= ticks[0] && value <= ticks[ticks.count - 1]
    }

    private func gridLine(_ tick: Double, _ ticks: [Double]) -> Markup {
        let y = length(y(tick, ticks))
        return Markup(joining: [
            .element(
                "line",
                [
                    "class": "grid", "x1": length(Self.left),
                    "x2": length(Self.width - Self.right), "y1": y, "y2": y,
                ]),
            .element(
                "text",
                ["class": "tick", "x": length(Self.left - 8), "y": y, "dy": "0.32em"]
            ) { quantity.text(tick) },
        ])
    }

    private func mark(_ threshold: Threshold, _ ticks: [Double]) -> Markup {
        let y = y(threshold.value, ticks)
        return Markup(joining: [
            .element(
                "line",
                [
                    "class": "threshold", "x1": length(Self.left),
                    "x2": length(Self.width - Self.right), "y1": length(y), "y2": length(y),
                ]),
            .element(
                "text",
                [
                    "class": "threshold-name", "x": length(Self.left + 4),
                    "y": length(y - 5),
                ]
            ) { "\(threshold.name) \(quantity.text(threshold.value))" },
        ])
    }

    // MARK: - Curves

    private func curve(_ series: Series, _ axis: TimeAxis, _ ticks: [Double]) -> Markup {
        let stride = max(1, (series.points.count + Self.pointLimit - 1) / Self.pointLimit)
        let last = series.points.count - 1
        let points = series.points.enumerated()
            .filter { $0.offset % stride == 0 || $0.offset == last }.map(\.element)
        var line = ""
        var area = ""
        let floor = length(Self.height - Self.bottom)
        var begin: String?
        var end = ""
        var before: String?
        for point in points {
            let x = length(Self.x(point.at, axis))
            guard let value = point.value, value.isFinite else {
                if let begin { area += "L\(end) \(floor)L\(begin) \(floor)Z" }
                (begin, before) = (nil, nil)
                continue
            }
            let y = length(y(value, ticks))
            var piece = before == nil ? "M" : "L"
            if series.isStepped, let before { piece += "\(x) \(before)L" }
            piece += "\(x) \(y)"
            line += piece
            area += piece
            begin = begin ?? x
            (end, before) = (x, y)
        }
        if let begin { area += "L\(end) \(floor)L\(begin) \(floor)Z" }
        return Markup(joining: [
            series.isFilled
                ? .element("path", ["class": "area \(series.color)", "d": area]) : .empty,
            .element("path", ["class": "line \(series.color)", "d": line]),
        ])
    }

    // MARK: - Looking values up

    /// A column over which the pointer shows the values: a style sheet can do that.
    private func lookUp(_ column: Int, _ axis: TimeAxis, _ ticks: [Double]) -> Markup {
        let columnWidth = (Self.width - Self.left - Self.right) / Double(Self.columns)
        let x = Self.left + columnWidth * Double(column)
        let at = axis.end * (Double(column) + 0.5) / Double(Self.columns)
        let values = series.compactMap { series in
            Self.value(of: series, at: at).flatMap { $0.isFinite ? (series, $0) : nil }
        }
        guard !values.isEmpty else { return .empty }
        let words = values.map { "\($0.name) \(quantity.text($1))" }
        let middle = length(x + columnWidth / 2)
        let isLeft = x < Self.width / 2
        return .element("g", ["class": "look-up"]) {
            Markup.element(
                "rect",
                [
                    "x": length(x), "y": length(Self.top), "width": length(columnWidth),
                    "height": length(Self.height - Self.top - Self.bottom),
                ])
            Markup.element(
                "line",
                [
                    "x1": middle, "x2": middle, "y1": length(Self.top),
                    "y2": length(Self.height - Self.bottom),
                ])
            for (series, value) in values {
                Markup.element(
                    "circle",
                    [
                        "class": series.color, "cx": middle, "cy": length(y(value, ticks)),
                        "r": "4",
                    ])
            }
            Markup.element(
                "text",
                [
                    "class": isLeft ? "of-left" : "of-right",
                    "x": length(x + columnWidth / 2 + (isLeft ? 8 : -8)),
                    "y": length(Self.top + 12),
                ]
            ) { ([axis.text(at)] + words).joined(separator: " · ") }
        }
    }

    /// What the curve shows at a time.
    private static func value(of series: Series, at: Double) -> Double? {
        guard let next = series.points.firstIndex(where: { $0.at > at }) else {
            return series.points.last.flatMap { $0.at == at ? $0.value : nil }
        }
        guard next > 0 else { return nil }
        let (before, after) = (series.points[next - 1], series.points[next])
        guard let low = before.value else { return nil }
        guard !series.isStepped, let high = after.value, after.at > before.at else { return low }
        return low + (high - low) * (at - before.at) / (after.at - before.at)
    }
}
