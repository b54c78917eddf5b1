public import ControlAPI

/// The page that tells people how a migration went, made of what one end wrote down, or both.
///
/// It is one file without any script and without anything from elsewhere, so that it can be kept,
/// mailed and opened anywhere. Everything in a timeline is taken for text, whoever wrote it.
public struct MigrationReport: Sendable {
    /// What the source wrote down.
    let source: MigrationTimelineReport?
    /// What the destination wrote down.
    let destination: MigrationTimelineReport?

    /// A report of one or two timelines.
    ///
    /// - Throws: when they are not one end's, or the two ends', of a migration.
    public init(_ timelines: [MigrationTimelineReport]) throws(ReportError) {
        for timeline in timelines {
            guard timeline.version == MigrationTimelineReport.currentVersion else {
                throw .unknownVersion(timeline.version)
            }
            guard timeline.end != .none else { throw .noMigration }
        }
        for end in [MigrationTimelineReport.End.source, .destination]
        where timelines.count(where: { $0.end == end }) > 1 {
            throw .sameEndTwice(end.rawValue)
        }
        source = timelines.first { $0.end == .source }
        destination = timelines.first { $0.end == .destination }
        guard !timelines.isEmpty else { throw .noMigration }
    }

    /// The timeline that the plots are made of: the source knows more.
    var main: MigrationTimelineReport? { source ?? destination }

    /// The page.
    public var html: String {
        guard let main else { return "" }
        let outcome = Outcome(main)
        return Markup.page(
            .element("html", ["lang": "en"]) {
                Markup.element("head") {
                    Markup.element("meta", ["charset": "utf-8"], isVoid: true)
                    // Whatever a file had brought in by a fault of this program could do nothing.
                    Markup.element(
                        "meta",
                        [
                            "http-equiv": "Content-Security-Policy",
                            "content": "default-src 'none'; style-src 'unsafe-inline'",
                        ], isVoid: true)
                    Markup.element(
                        "meta",
                        ["name": "viewport", "content": "width=device-width, initial-scale=1"],
                        isVoid: true)
                    Markup.element(
                        "meta", ["name": "color-scheme", "content": "light dark"], isVoid: true)
                    Markup.element("title") { "Migration \(outcome.word) - Martlet" }
                    Markup.styleSheet(reportStyle)
                }
                Markup.element("body") {
                    Markup.element("main") {
                        header(main, outcome)
                        errors(main)
                        Tiles(main: main, source: source).markup()
                        plots(main)
                        blackout()
                        rounds(main)
                        notes(main)
                        settings()
                        footer()
                    }
                }
            })
    }

    private func header(_ main: MigrationTimelineReport, _ outcome: Outcome) -> Markup {
        .element("header") {
            Markup.element("p", ["class": "badge \(outcome.kind)", "id": "outcome"]) {
                outcome.word
            }
            Markup.element("h1") { outcome.sentence }
            Markup.element("p", ["class": "sub"]) { subtitle(main) }
        }
    }

    private func subtitle(_ main: MigrationTimelineReport) -> String {
        var parts: [String] = []
        if let url = main.settings["destination_url"] { parts.append("to \(url)") }
        if let url = main.settings["receiver_url"] { parts.append("received at \(url)") }
        if let began = main.beganAt { parts.append("began \(began)") }
        return parts.joined(separator: " · ")
    }

    private func errors(_ main: MigrationTimelineReport) -> Markup {
        var errors = main.progress.result?.errors ?? []
        for error in destination?.progress.result?.errors ?? [] where !errors.contains(error) {
            errors.append("at the destination: \(error)")
        }
        guard !errors.isEmpty else { return .empty }
        return .element("section", ["id": "errors", "class": "card errors"]) {
            Markup.element("h2") { "Why" }
            for error in errors { Markup.element("p") { error } }
        }
    }

    private func plots(_ main: MigrationTimelineReport) -> Markup {
        let plots = Plots(main)
        return .element("section", ["id": "plots"]) {
            Markup.element("h2") { "Over time" }
            Markup.element("div", ["class": "card"]) {
                plots.axis.bar()
                for plot in plots.all { plot.markup(plots.axis) }
            }
        }
    }

    private func blackout() -> Markup {
        let chart = BlackoutChart(source: source, destination: destination)
        guard !chart.rows.isEmpty else { return .empty }
        return .element("section", ["id": "blackout"]) {
            Markup.element("h2") { "The blackout, part by part" }
            chart.markup()
        }
    }

    private func footer() -> Markup {
        .element("footer") {
            for timeline in [source, destination].compactMap(\.self) {
                Markup.element("p") {
                    "The \(timeline.end.rawValue) wrote this with \(timeline.program)."
                }
            }
        }
    }
}

/// Why there is no report.
public enum ReportError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The timeline is of a later format.
    case unknownVersion(UInt64)
    /// The VMM has neither sent nor received a guest.
    case noMigration
    /// Two timelines are of the same end.
    case sameEndTwice(String)

    /// One sentence: what is so, and what can be done.
    public var description: String {
        switch self {
        case .unknownVersion(let version):
            "The timeline has version \(version) of its format, and this program knows version "
                + "\(MigrationTimelineReport.currentVersion) only; use the program that wrote it"
        case .noMigration:
            "There is no migration to report: this VMM has neither sent nor received a guest"
        case .sameEndTwice(let end):
            "Two timelines are of the \(end); a report takes one of each end"
        }
    }
}
