import ArgumentParser
import VMM

/// The command line.
@main
struct Martlet: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "martlet",
        abstract: "Runs virtual machines that can be moved while they run.",
        discussion: """
            Boot a guest, and move it to another VMM:

              martlet run --api-socket /tmp/a --kernel nestling.elf --cmdline idle
              martlet run --api-socket /tmp/b
              martlet ctl --api-socket /tmp/b receive-migration receiver_url=unix:/tmp/m &
              martlet ctl --api-socket /tmp/a send-migration destination_url=unix:/tmp/m,local=on
            """,
        version: Version.number,
        subcommands: [Run.self, Ctl.self, CPU.self, Journal.self, Demo.self])

    static func main() {
        let words = Array(CommandLine.arguments.dropFirst())
        if BashCompletion.isAsked(words) {
            say(completionScript(for: .bash) + BashCompletion.wordJoiner)
        } else {
            main(words)
        }
    }
}

/// An error that the user is told in one line, with exit status 1.
struct CommandFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }

    /// The text of an error of a module.
    init(_ error: any Error) {
        description = String(describing: error)
    }
}
