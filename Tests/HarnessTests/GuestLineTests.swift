import Harness
import Testing

@Suite struct GuestLineTests {
    @Test func aReportIsReadByKey() throws {
        let line = try #require(GuestLine("nestling report uptime_ms=1200 gap_us=87 errors=0"))
        #expect(line.kind == .report)
        #expect(line.count("gap_us") == 87)
        #expect(line.count("disk_reads") == nil)
    }

    @Test(arguments: [
        "", "nestling", "nestling unheard of=1", "report uptime_ms=1", "kernel: nestling report",
    ])
    func otherLinesAreNone(line: String) {
        #expect(GuestLine(line) == nil)
    }

    @Test func aDamagedValueIsNoCount() throws {
        let line = try #require(GuestLine("nestling report errors=x gap_us"))
        #expect(line.count("errors") == nil)
        #expect(line.count("gap_us") == nil)
    }
}
