import ArgumentParser
import ControlAPI
import LinuxSystem
import Report

extension Ctl {
    /// A page about a migration, made of timelines.
    struct MakeMigrationReport: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "migration-report",
            abstract: "Makes a page about a migration that people can read.",
            discussion: """
                The page is one HTML file without scripts, and needs nothing from elsewhere. It is made \
                of timelines: files that timeline=PATH of send-migration and receive-migration \
                has written, the VMM behind --api-socket, or one of each end.

                Examples:
                  migration-report --api-socket /tmp/b --output report.html
                  migration-report source.json --output report.html
                  migration-report source.json destination.json --output report.html
                """)

        @OptionGroup var target: ControlTarget

        @Option(
            name: [.short, .customLong("output")],
            help: ArgumentHelp(
                "Where the page goes; without, to standard output.", valueName: "file"),
            completion: .file(extensions: ["html"]))
        var output: String?

        @Argument(
            help: ArgumentHelp(
                "Timelines of one end or of both.", valueName: "timeline.json"),
            completion: .file(extensions: ["json"]))
        var files: [String] = []

        /// More than a timeline can be.
        private static let maximumBytes = 16 << 20

        func validate() throws {
            guard !target.json else {
                throw ValidationError(
                    "migration-report makes a page; migration-timeline prints JSON.")
            }
            guard target.apiSocket != nil || !files.isEmpty else {
                throw ValidationError(
                    "There is nothing to report: give a timeline's file, or --api-socket.")
            }
        }

        func run() throws {
            BrokenPipeSignal.ignore()
            do {
                var timelines = try files.map(Self.timeline)
                if let path = target.apiSocket {
                    timelines.append(try APIClient(path: path).migrationTimeline())
                }
                let page = Array(try MigrationReport(timelines).html.utf8)
                guard let output else {
                    return say(String(decoding: page, as: UTF8.self), terminator: "")
                }
                try OwnedDescriptor(opening: output, [.write, .create, .truncate]).writeAll(page)
            } catch {
                throw CommandFailure(error)
            }
        }

        private static func timeline(_ path: String) throws -> MigrationTimelineReport {
            let bytes = try OwnedDescriptor(opening: path).readAll(maximum: maximumBytes)
            do throws(SchemaError) {
                return try JSONBody.decode(MigrationTimelineReport.self, from: bytes)
            } catch {
                throw NoTimeline(path: path, cause: error)
            }
        }

        /// A file that holds something else.
        private struct NoTimeline: Error, CustomStringConvertible {
            let path: String
            let cause: SchemaError

            var description: String { "\(path) is no timeline of a migration: \(cause)" }
        }
    }
}
