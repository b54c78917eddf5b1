import ArgumentParser
import ControlAPI
import LinuxSystem

/// `martlet ctl`: calls a VMM by its API socket.
struct Ctl: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Controls a VMM by its API socket.",
        discussion: """
            Examples:
              martlet ctl --api-socket /tmp/a info
              martlet ctl --api-socket /tmp/a create config.json
              martlet ctl --api-socket /tmp/b receive-migration receiver_url=tcp:127.0.0.1:4444
              martlet ctl --api-socket /tmp/a send-migration destination_url=tcp:127.0.0.1:4444
              martlet ctl --api-socket /tmp/a migration-progress --json
            """,
        subcommands: [
            Ping.self, Info.self, Counters.self, Create.self, Boot.self, Pause.self, Resume.self,
            Reboot.self, Shutdown.self, Delete.self, AddDisk.self, AddNet.self, RemoveDevice.self,
            ResizeDisk.self, PowerButton.self, NMI.self, ShutdownVMM.self, SendMigration.self,
            ReceiveMigration.self, ShowMigrationProgress.self, ShowMigrationTimeline.self,
            MakeMigrationReport.self, SetMigrationOptions.self, ContinueMigration.self,
            CancelMigration.self, ResolveMigration.self,
        ])

    @OptionGroup var target: ControlTarget
}

/// Which VMM is called, and how its answers are shown.
struct ControlTarget: ParsableArguments {
    /// Every call needs it; only reports can be made of files alone.
    @Option(
        help: ArgumentHelp("The API socket of the VMM.", valueName: "path"), completion: .file())
    var apiSocket: String?

    @Flag(help: "Print what the VMM answered as JSON.")
    var json = false

    /// Runs calls; their errors become what the user is told.
    func call<Answer>(_ body: (APIClient) throws -> Answer) throws -> Answer {
        guard let apiSocket else {
            throw ValidationError("Missing expected argument '--api-socket <path>'")
        }
        BrokenPipeSignal.ignore()
        do {
            return try body(APIClient(path: apiSocket))
        } catch let error as ExitCode {
            throw error
        } catch {
            throw CommandFailure(error)
        }
    }

    /// Makes a call without body and answer.
    func perform(_ endpoint: Endpoint) throws {
        try call { try $0.perform(endpoint) }
    }

    /// Prints an object as indented JSON.
    func printJSON(_ object: some Encodable) {
        say(String(decoding: JSONBody.encode(object, isPretty: true), as: UTF8.self))
    }
}
