/// The horizontal axis that all plots of a report share.
struct TimeAxis {
    /// A stretch of time with a name.
    struct Span {
        var name: String
        /// Names its colour in the style sheet.
        var color: String
        var begin: Double
        var end: Double
    }

    /// The end of the migration, in milliseconds; it begins at 0.
    var end: Double
    /// The steps of the migration.
    var steps: [Span]
    /// Where passes over the memory begin.
    var rounds: [Double]
    /// Where the guest was stopped, if it was.
    var pause: Double?

    /// A time on this axis.
    func text(_ at: Double) -> String {
        Amount.time(milliseconds: at)
    }

    /// Grid, ticks and marks behind the curves.
    func markup(top: Double, bottom: Double) -> Markup {
        Markup(joining: [
            Markup(joining: rounds.map { vertical("round", $0, top, bottom) }),
            Markup(joining: ticks.map { tick($0, bottom) }),
            pause.map { vertical("pause", $0, top, bottom) } ?? .empty,
        ])
    }

    /// The steps as a bar above the plots.
    func bar() -> Markup {
        .element(
            "svg",
            [
                "id": "steps", "viewBox": "0 0 \(length(TimePlot.width)) 46", "role": "img",
                "aria-label": "The steps of the migration",
            ]
        ) {
            for step in steps { bar(step) }
            for at in ticks { tick(at, 26) }
        }
    }

    private func bar(_ step: Span) -> Markup {
        let x = TimePlot.x(step.begin, self)
        // A blackout is seen although it is a ten-thousandth of the time.
        let width = max(TimePlot.x(step.end, self) - x - 1, 3)
        let begin = min(x, TimePlot.width - TimePlot.right - 3)
        let fits = width > Double(step.name.count) * 7.5 + 12
        return .element("g", ["class": "step"]) {
            Markup.element(
                "rect",
                [
                    "class": step.color, "x": length(begin), "y": "2", "width": length(width),
                    "height": "22", "rx": "3",
                ]
            ) {
                Markup.element("title") {
                    "\(step.name): \(text(step.end - step.begin)), from \(text(step.begin))"
                }
            }
            if fits {
                Markup.element(
                    "text", ["x": length(begin + width / 2), "y": "13", "dy": "0.34em"]
                ) { step.name }
            }
        }
    }

    private var ticks: [Double] {
        Quantity.milliseconds.ticks(upTo: end, count: 8).filter { $0 <= end }
    }

    private func tick(_ at: Double, _ bottom: Double) -> Markup {
        let x = length(TimePlot.x(at, self))
        return Markup(joining: [
            .element(
                "line",
                [
                    "class": "axis", "x1": x, "x2": x, "y1": length(bottom),
                    "y2": length(bottom + 4),
                ]),
            .element(
                "text", ["class": "time", "x": x, "y": length(bottom + 17)]
            ) { at == 0 ? "0" : text(at) },
        ])
    }

    private func vertical(
        _ kind: String, _ at: Double, _ top: Double, _ bottom: Double
    ) -> Markup {
        let x = length(TimePlot.x(at, self))
        return .element(
            "line", ["class": kind, "x1": x, "x2": x, "y1": length(top), "y2": length(bottom)])
    }
}
