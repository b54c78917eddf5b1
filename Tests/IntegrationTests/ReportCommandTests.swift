import ControlAPI
import Harness
import LinuxSystem
import Testing

/// `martlet ctl migration-report` and the timelines that it takes.
@Suite(.needsExecutable) struct ReportCommandTests {
    private func write(_ bytes: [UInt8], _ name: String, in lab: Lab) throws -> String {
        let path = lab.path(name)
        try OwnedDescriptor(opening: path, [.write, .create, .truncate]).writeAll(bytes)
        return path
    }

    private func timeline(_ end: MigrationTimelineReport.End) -> [UInt8] {
        var progress = MigrationProgressReport(phase: "failed")
        progress.result = MigrationResult(outcome: .failed)
        progress.result?.errors = ["a reason & <more>"]
        return JSONBody.encode(MigrationTimelineReport(end: end, progress: progress))
    }

    @Test func filesBecomeAPage() throws {
        let lab = try Lab()
        let source = try write(timeline(.source), "source", in: lab)
        let destination = try write(timeline(.destination), "destination", in: lab)
        let output = lab.path("report.html")

        let run = try lab.martlet(
            "ctl", "migration-report", source, destination, "--output", output)
        #expect(run.status == .exited(0), "\(run.errors)")
        #expect(run.output.isEmpty)
        let page = String(
            decoding: try OwnedDescriptor(opening: output).readAll(maximum: 4 << 20), as: UTF8.self)
        #expect(page.hasPrefix("<!doctype html>"))
        #expect(page.contains("a reason &amp; &lt;more&gt;"))

        let printed = try lab.martlet("ctl", "migration-report", source)
        #expect(printed.output.hasPrefix("<!doctype html>"))
        #expect(printed.output.hasSuffix("</html>\n"))
    }

    @Test func whatIsNoTimelineIsRefusedByName() throws {
        let lab = try Lab()
        let source = try write(timeline(.source), "source", in: lab)
        for (words, status, name) in [
            ([], 64, "--api-socket"),
            (["--json", source], 64, "migration-timeline"),
            ([lab.path("absent")], 1, "absent"),
            ([try write(Array("{}".utf8), "empty", in: lab)], 1, "empty"),
            ([try write([0xff, 0xfe], "noise", in: lab)], 1, "noise"),
            ([source, source], 1, "source"),
            ([source, "--output", lab.path("no-folder/page")], 1, "no-folder"),
            (["--api-socket", lab.path("nobody")], 1, "nobody"),
        ] as [([String], Int32, String)] {
            let run = try lab.run(
                try #require(Prerequisites.executable), ["ctl", "migration-report"] + words)
            #expect(run.status == .exited(status), "\(words): \(run.output)\(run.errors)")
            #expect(run.errors.contains(name), "\(words): \(run.errors)")
        }
    }

    @Test func vmmWithoutAMigrationHasNothingToReport() throws {
        let lab = try Lab()
        let vmm = try lab.start("vmm")
        let run = try lab.martlet("ctl", "migration-report", "--api-socket", vmm.client.path)
        #expect(run.status == .exited(1))
        #expect(run.errors.contains("no migration"))
        // The other calls need a socket.
        let call = try lab.martlet("ctl", "info")
        #expect(call.status == .exited(64) && call.errors.contains("--api-socket"))
        let first = try lab.martlet("ctl", "--api-socket", vmm.client.path, "ping")
        #expect(first.status == .exited(0))
    }
}
