import ControlAPI
import Testing

@testable import Report

/// Reports as a real browser shows them.
@Suite(
    .serialized,
    .enabled(
        if: Browser.path != nil,
        "needs a browser: apt-get install chromium, or MARTLET_BROWSER=<path>")
)
struct BrowserTests {
    private func page(_ timelines: MigrationTimelineReport...) throws -> String {
        try MigrationReport(timelines).html
    }

    @Test(arguments: [false, true])
    func everythingCanBeReadInTheLightAndInTheDark(isDark: Bool) throws {
        let (sight, console) = try Browser(isDark: isDark).look(
            at: page(Timelines.source(), Timelines.destination()))

        #expect(sight.isDark == isDark)
        #expect(sight.faults == [])
        #expect(sight.contrast >= 4.5)
        #expect(sight.overflow == 0)
        #expect(console == [])
        #expect(sight.counts["figure svg"] == 4)
        #expect(sight.counts["path.line"] == 5)
        #expect(sight.counts["[data-part]"] == 10)
        #expect(sight.counts["#rounds tbody tr"] == 6)
        #expect(sight.counts[".pause"] == 4)
        #expect(sight.counts[".look-up"] ?? 0 > 400)
        #expect(sight.lookUpOpacity == "0")
        #expect(sight.texts["outcome"] == "completed")
        #expect(sight.texts["blackout-time"] == "Blackout6.5 msgoal 50 ms, predicted 9 ms")
        #expect(sight.texts["dirty"]?.contains("381 MiB/s") == true)
    }

    @Test func narrowWindowShowsEverythingToo() throws {
        let (sight, _) = try Browser(width: 420).look(
            at: page(Timelines.source(), Timelines.destination()))
        #expect(sight.overflow == 0)
    }

    @Test func textThatLooksLikeMarkupStaysText() throws {
        let (sight, console) = try Browser().look(at: page(Timelines.failure()))
        #expect(sight.counts["script"] == 0 && sight.counts["img"] == 0)
        #expect(sight.texts["errors"]?.contains("<script>alert('1')</script>&\"<img") == true)
        #expect(console == [])
    }

    @Test func emptyAndAbsurdTimelinesAreShown() throws {
        for timeline in [Timelines.empty(), Timelines.empty(.destination), Timelines.absurd()] {
            let (sight, console) = try Browser().look(at: page(timeline))
            let faults = sight.faults.filter { fault in
                ["number", "outside", "beyond"].contains { fault.contains($0) }
            }
            #expect(faults == [])
            #expect(sight.overflow == 0)
            #expect(console == [])
        }
    }
}
