import ControlAPI

/// How a migration ended, in one word and in one sentence.
struct Outcome {
    /// The word.
    var word: String
    /// Names its colour in the style sheet.
    var kind: String
    /// The sentence.
    var sentence: String

    /// The outcome that a timeline tells.
    init(_ timeline: MigrationTimelineReport) {
        guard let result = timeline.progress.result else {
            word = "under way"
            kind = "neutral"
            sentence = "The migration is at its step \u{201c}\(timeline.progress.phase)\u{201d}"
            return
        }
        let still = timeline.blackout.map { Amount.time(milliseconds: $0.milliseconds) }
        switch result.outcome {
        case .completed:
            word = "completed"
            kind = "good"
            switch (timeline.end, still) {
            case (.source, let still?): sentence = "The guest moved, and stood still for \(still)"
            case (.source, nil): sentence = "The guest moved; its owner had paused it"
            default: sentence = "The guest came"
            }
        case .failed, .cancelled:
            word = result.outcome.rawValue
            kind = result.outcome == .failed ? "bad" : "neutral"
            sentence = "The guest is where it was"
            if timeline.end == .source {
                sentence +=
                    still.map { ", after it stood still for \($0)" } ?? ", and never stood still"
            }
        case .inDoubt:
            word = "in doubt"
            kind = "bad"
            sentence = "The guest stands still until it is known which end has it"
        }
    }
}
