import ArgumentParser

/// The command line: `martlet run`, `ctl`, `demo`.
@main
struct Martlet: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "martlet")
}
