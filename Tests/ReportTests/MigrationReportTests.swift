import ControlAPI
import Testing

@testable import Report

@Suite struct MigrationReportTests {
    private func html(_ timelines: MigrationTimelineReport...) throws -> String {
        try MigrationReport(timelines).html
    }

    private func count(_ text: String, in html: String) -> Int {
        html.components(of: text)
    }

    @Test func successHasItsFiguresPlotsAndTables() throws {
        let page = try html(Timelines.source())

        #expect(page.contains("The guest moved, and stood still for 6.5 ms"))
        for name in [
            "outcome", "summary", "blackout-time", "plots", "steps", "rate", "remaining",
            "predicted", "throttle", "blackout", "rounds", "notes", "settings",
        ] {
            #expect(count(" id=\"\(name)\"", in: page) == 1, "\(name)")
        }
        for text in [
            "goal 50 ms", "1.77 GiB", "40 %", "tcp:192.0.2.1:4444", "2026-01-02T03:04:05.678Z",
            "vCPUs are held back by 40 %", "final-memory", "martlet 0.1.0",
            "40 ms until memory is sent",
        ] {
            #expect(page.contains(text), "\(text)")
        }
        #expect(!page.contains("id=\"errors\""))
        #expect(count("data-part=", in: page) == 6)
        #expect(count("data-end=", in: page) == 1)
        // Rounds, and the heads of their table.
        #expect(count("<tr>", in: page) >= 6)
    }

    @Test func bothEndsAreShownBelowEachOther() throws {
        let page = try html(Timelines.destination(), Timelines.source())
        #expect(count("data-end=", in: page) == 2)
        #expect(count("data-part=", in: page) == 10)
        #expect(page.contains("tcp:0.0.0.0:4444") && page.contains("tcp:192.0.2.1:4444"))
        let chart = BlackoutChart(
            source: Timelines.source(), destination: Timelines.destination())
        // Stop, final memory and state come before the destination has anything to do.
        #expect(abs(chart.rows[1].begin - 2.6) < 1e-9)
    }

    @Test func destinationAloneHasWhatItKnows() throws {
        let page = try html(Timelines.destination())
        #expect(page.contains("The guest came"))
        #expect(page.contains("id=\"received\"") && !page.contains("id=\"throttle\""))
        #expect(count("data-part=", in: page) == 4)
    }

    @Test func nothingFromATimelineIsMarkup() throws {
        let page = try html(Timelines.failure())
        #expect(page.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&quot;"))
        for text in ["<script", "<img", "onerror=alert(2)>\"", "'1'"] {
            #expect(!page.contains(text), "\(text)")
        }
        #expect(page.contains("id=\"errors\""))
        #expect(page.contains("The guest is where it was, after it stood still"))
    }

    @Test func pageNeedsNothingFromElsewhere() throws {
        let page = try html(Timelines.source(), Timelines.destination())
        for text in ["http:", "https:", "src=", "url(", "@import", "<link", "<script", "href"] {
            #expect(!page.contains(text), "\(text)")
        }
        #expect(page.contains("default-src 'none'") || page.contains("default-src &#39;none&#39;"))
    }

    @Test func runningAndEmptyMigrationsHaveAPageToo() throws {
        for end in [MigrationTimelineReport.End.source, .destination] {
            let page = try html(Timelines.empty(end))
            #expect(page.contains("under way"))
            #expect(page.contains("Nothing was measured."))
        }
        for outcome in [MigrationResult.Outcome.cancelled, .inDoubt] {
            var timeline = Timelines.empty()
            timeline.progress.result = MigrationResult(outcome: outcome)
            #expect(try html(timeline).contains("id=\"outcome\""))
        }
    }

    @Test func absurdTimelinesHaveAPage() throws {
        let page = try html(Timelines.absurd())
        #expect(!page.contains("nan") && !page.contains("inf\""))
    }

    @Test func longTimelinesDoNotMakeLongPages() throws {
        var timeline = Timelines.source()
        timeline.samples = (0..<200_000).map { .init(atMilliseconds: Double($0)) }
        #expect(try html(timeline).utf8.count < 1_000_000)
    }

    @Test func whatIsNoMigrationIsRefused() {
        var later = Timelines.source()
        later.version = 2
        #expect(throws: ReportError.unknownVersion(2)) { try MigrationReport([later]) }
        #expect(throws: ReportError.noMigration) { try MigrationReport([.none]) }
        #expect(throws: ReportError.noMigration) { try MigrationReport([]) }
        #expect(throws: ReportError.sameEndTwice("source")) {
            try MigrationReport([Timelines.source(), Timelines.failure()])
        }
    }
}

extension String {
    /// How often a text occurs.
    func components(of text: String) -> Int {
        var rest = self[...]
        var count = 0
        while let range = rest.firstRange(of: text) {
            count += 1
            rest = rest[range.upperBound...]
        }
        return count
    }
}
