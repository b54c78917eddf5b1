import ArgumentParser
import LinuxSystem
import Migration

/// `martlet journal`: what an ownership journal says.
struct Journal: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "journal",
        abstract: "Says what an ownership journal (martlet run --ownership-journal) knows.",
        subcommands: [ShowJournal.self])
}

/// `martlet journal show`.
struct ShowJournal: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Shows all decisions, and what became of each migration.",
        discussion: """
            A migration has the same name in the journals of both ends. Ends with status 2 when \
            it is open where a guest is, and with status 1 when the journal cannot be read whole.

            Example:
              martlet journal show /var/lib/martlet/a.journal
            """)

    @Argument(help: "The journal.", completion: .file())
    var path: String

    func run() throws {
        let contents: JournalContents
        do throws(JournalError) {
            contents = try JournalContents(readingFrom: path)
        } catch {
            throw CommandFailure(error)
        }
        for record in contents.records {
            say(
                "\(UTCTime(seconds: record.seconds)) \(record.migration) "
                    + "\(record.decision.rawValue): \(record.detail)")
        }
        let conclusions = contents.conclusions
        if conclusions.isEmpty { say("No guest has changed its owner here.") }
        for record in conclusions {
            say("migration \(record.migration): \(record.decision.meaning)")
        }
        if contents.tornBytes > 0 {
            say(
                "The last \(contents.tornBytes) bytes are a record that was cut off; what it was "
                    + "to say was not done.")
        }
        if let line = contents.damagedLines.first {
            throw CommandFailure("Line \(line) is damaged; what it said is not known.")
        }
        if conclusions.contains(where: { $0.decision.leavesDoubt }) {
            say(
                "Look at the other end: `martlet ctl info` there, or its journal. See \"A doubt "
                    + "that stays\" in docs/operations.md.")
            throw ExitCode(2)
        }
    }
}
