import ControlAPI

/// The plots of one timeline.
struct Plots {
    /// What they share.
    let axis: TimeAxis
    /// From top to bottom.
    let all: [TimePlot]

    /// The plots of a timeline.
    init(_ timeline: MigrationTimelineReport) {
        axis = Self.axis(of: timeline)
        let isSource = timeline.end == .source
        all =
            isSource
            ? [
                Self.rates(timeline), Self.remaining(timeline), Self.prediction(timeline),
                Self.throttle(timeline),
            ] : [Self.rates(timeline), Self.received(timeline)]
    }

    /// When the timeline ends, in milliseconds.
    static func end(of timeline: MigrationTimelineReport) -> Double {
        let times =
            timeline.phases.map(\.atMilliseconds) + timeline.samples.map(\.atMilliseconds)
            + [timeline.progress.result?.totalMilliseconds ?? timeline.progress.elapsedMilliseconds]
        return max(times.filter(\.isFinite).max() ?? 0, 0.001)
    }

    /// How much of the time went before memory was sent.
    static func stepsText(_ timeline: MigrationTimelineReport) -> String {
        guard let memory = timeline.phases.first(where: { $0.phase == "memory" }) else { return "" }
        return "\(Amount.time(milliseconds: memory.atMilliseconds)) until memory is sent"
    }

    /// The blackout that was predicted when the guest was stopped.
    static func predictedAtPause(_ timeline: MigrationTimelineReport) -> Double? {
        guard let pause = timeline.blackout?.atMilliseconds else { return nil }
        // A sample is taken as the guest is stopped, a moment after its blackout begins.
        let sample =
            timeline.samples.first { $0.atMilliseconds >= pause } ?? timeline.samples.last
        return sample?.predictedBlackoutMilliseconds
    }

    private static func axis(of timeline: MigrationTimelineReport) -> TimeAxis {
        let end = end(of: timeline)
        let steps = timeline.phases.enumerated().compactMap { index, step -> TimeAxis.Span? in
            let next = index + 1
            // The last steps are points in time.
            guard !["finished", "failed", "cancelled"].contains(step.phase) else { return nil }
            return TimeAxis.Span(
                name: step.phase, color: color(of: step.phase), begin: step.atMilliseconds,
                end: next < timeline.phases.count ? timeline.phases[next].atMilliseconds : end)
        }
        return TimeAxis(
            end: end, steps: steps,
            // More lines than these would only be a grey area.
            rounds: timeline.rounds.count <= 40 ? timeline.rounds.map(\.atMilliseconds) : [],
            pause: timeline.blackout?.atMilliseconds)
    }

    private static func color(of phase: String) -> String {
        switch phase {
        case "memory": "c1"
        case "blackout": "c7"
        case "takeover": "c6"
        case "in-doubt": "c2"
        default: "c0"
        }
    }

    private static func rates(_ timeline: MigrationTimelineReport) -> TimePlot {
        let isSource = timeline.end == .source
        var series = [
            TimePlot.Series(
                name: isSource ? "sent" : "received", color: "c1",
                points: timeline.samples.map { ($0.atMilliseconds, Double($0.rateBytesPerSecond)) },
                isFilled: true)
        ]
        if isSource {
            series.append(
                TimePlot.Series(
                    name: "dirtied", color: "c2", points: dirtied(timeline), isStepped: true))
        }
        return TimePlot(
            name: "rate", title: isSource ? "Rate and dirty rate" : "Rate",
            explanation: isSource
                ? "Memory sent in each second, and memory that the guest wrote to in each round."
                : "Memory received in each second.",
            quantity: .bytesPerSecond, series: series)
    }

    /// The dirty rate of each round, for as long as the round took.
    private static func dirtied(
        _ timeline: MigrationTimelineReport
    ) -> [(at: Double, value: Double?)] {
        timeline.rounds.flatMap { round -> [(at: Double, value: Double?)] in
            let rate = round.dirtyRateBytesPerSecond.map { Double($0) }
            return [
                (round.atMilliseconds, rate), (round.atMilliseconds + round.milliseconds, rate),
            ]
        }
    }

    private static func remaining(_ timeline: MigrationTimelineReport) -> TimePlot {
        TimePlot(
            name: "remaining", title: "Remaining",
            explanation: "What the round still had to send. It rises where a new round begins.",
            quantity: .bytes,
            series: [
                TimePlot.Series(
                    name: "remaining", color: "c4",
                    points: timeline.samples.map { ($0.atMilliseconds, Double($0.bytesRemaining)) },
                    isFilled: true)
            ])
    }

    private static func prediction(_ timeline: MigrationTimelineReport) -> TimePlot {
        var goal: TimePlot.Threshold?
        if case .number(let value)? = timeline.settings["downtime_ms"] {
            goal = TimePlot.Threshold(value: Double(value), name: "goal")
        }
        return TimePlot(
            name: "predicted", title: "Predicted blackout",
            explanation:
                "How long the guest would have stood still, had it been stopped then; "
                + "each line is ten times the one below.",
            quantity: .milliseconds,
            series: [
                TimePlot.Series(
                    name: "predicted", color: "c3",
                    points: timeline.samples.map {
                        ($0.atMilliseconds, $0.predictedBlackoutMilliseconds)
                    })
            ], threshold: goal, isLogarithmic: true)
    }

    private static func throttle(_ timeline: MigrationTimelineReport) -> TimePlot {
        TimePlot(
            name: "throttle", title: "Throttle",
            explanation:
                "The share of time for which vCPUs were held back so that they write less.",
            quantity: .percent,
            series: [
                TimePlot.Series(
                    name: "held back", color: "c5",
                    points: timeline.samples.map {
                        ($0.atMilliseconds, Double($0.throttlePercent))
                    }, isStepped: true, isFilled: true)
            ])
    }

    private static func received(_ timeline: MigrationTimelineReport) -> TimePlot {
        TimePlot(
            name: "received", title: "Received",
            explanation: "All memory that had arrived, with pages that came again.",
            quantity: .bytes,
            series: [
                TimePlot.Series(
                    name: "received", color: "c4",
                    points: timeline.samples.map { ($0.atMilliseconds, Double($0.bytesSent)) },
                    isFilled: true)
            ])
    }
}
