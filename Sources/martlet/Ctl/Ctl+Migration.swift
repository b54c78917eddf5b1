import ArgumentParser
import ControlAPI
import LinuxSystem

extension Ctl {
    /// `vm.send-migration`, followed to its end.
    struct SendMigration: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Moves the guest to another VMM and shows how it goes.",
            discussion: """
                The other VMM must be waiting (receive-migration). Ends with status 0 when the \
                guest is there, and with 1 when it stayed. Ctrl-C ends the display only; the \
                migration goes on (cancel-migration stops it).

                Examples:
                  send-migration destination_url=tcp:127.0.0.1:4444
                  send-migration destination_url=tcp:127.0.0.1:4444,downtime_ms=50,timeout_s=60
                  send-migration destination_url=unix:/tmp/m,local=on
                  send-migration destination_url=unix:/tmp/m,timeline=/tmp/timeline.json
                """)
        @OptionGroup var target: ControlTarget

        @Argument(
            help: ArgumentHelp(
                "Where to and how.",
                valueName: "destination_url=URL[,local=][,downtime_ms=][,timeout_s=]"
                    + "[,timeout_strategy=cancel|ignore][,connections=1..128][,bandwidth=]"
                    + "[,throttle_max=][,hold_before_switchover=][,timeline=PATH]"
                    + "[,compression=off|zstd|lz4|auto][,checksums=][,verify=]"),
            completion: .keys(of: SendMigrationData.self),
            transform: { try SendMigrationData(option: $0) })
        var migration: SendMigrationData

        @Flag(name: .customLong("no-wait"), help: "Return once the migration has begun.")
        var returnsAtOnce = false

        func run() throws {
            try target.call { client in
                try client.sendMigration(migration)
                if returnsAtOnce { return }
                let result = try MigrationFollower(client: client, isQuiet: target.json).follow()
                if target.json {
                    target.printJSON(result)
                } else {
                    say(result.summary, terminator: "")
                }
                if result.outcome != .completed { throw ExitCode(1) }
            }
        }
    }

    /// `vm.receive-migration`.
    struct ReceiveMigration: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Waits for a guest from another VMM; returns when it has come.",
            discussion: """
                Examples:
                  receive-migration receiver_url=tcp:127.0.0.1:4444
                  receive-migration receiver_url=unix:/tmp/m
                  receive-migration receiver_url=tcp:0.0.0.0:4444,tls_dir=/etc/martlet/tls
                """)
        @OptionGroup var target: ControlTarget

        @Argument(
            help: ArgumentHelp("Where to listen.", valueName: "receiver_url=URL[,timeline=PATH]"),
            completion: .keys(of: ReceiveMigrationData.self),
            transform: { try ReceiveMigrationData(option: $0) })
        var migration: ReceiveMigrationData

        func run() throws {
            try target.call { try $0.receiveMigration(migration, deadline: nil) }
        }
    }

    /// `vm.migration-progress`.
    struct ShowMigrationProgress: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "migration-progress",
            abstract: "Shows how far a migration is, or how the last one ended.")
        @OptionGroup var target: ControlTarget

        func run() throws {
            let report = try target.call { try $0.migrationProgress() }
            if target.json {
                target.printJSON(report)
                return
            }
            var display = MigrationDisplay(.lines)
            say(display.update(report), terminator: "")
            if let result = report.result { say(result.summary, terminator: "") }
        }
    }

    /// `vm.migration-timeline`.
    struct ShowMigrationTimeline: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "migration-timeline",
            abstract: "Prints what happened in a migration, and when, as JSON.",
            discussion: "migration-report makes a page of it that people can read.")
        @OptionGroup var target: ControlTarget

        func run() throws {
            target.printJSON(try target.call { try $0.migrationTimeline() })
        }
    }

    /// `vm.set-migration-options`.
    struct SetMigrationOptions: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set-migration-options",
            abstract: "Changes the running migration, at its source.",
            discussion: """
                What is left out stays as it is. bandwidth=0 ends a limit.

                Examples:
                  set-migration-options bandwidth=100M
                  set-migration-options downtime_ms=1000,timeout_s=600
                """)
        @OptionGroup var target: ControlTarget

        @Argument(
            help: ArgumentHelp(
                "What to change.",
                valueName: "[downtime_ms=][,timeout_s=][,bandwidth=]"
                    + "[,throttle_max=]"),
            completion: .keys(of: SetMigrationData.self),
            transform: { try SetMigrationData(option: $0) })
        var change: SetMigrationData

        func run() throws { try target.call { try $0.setMigrationOptions(change) } }
    }

    /// `vm.continue-migration`.
    struct ContinueMigration: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "continue-migration",
            abstract: "Lets a migration that holds before the switch go on, at its source.")
        @OptionGroup var target: ControlTarget
        func run() throws { try target.perform(.continueMigration) }
    }

    /// `vm.cancel-migration`.
    struct CancelMigration: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "cancel-migration",
            abstract: "Calls the running migration off; works at both ends.")
        @OptionGroup var target: ControlTarget
        func run() throws { try target.perform(.cancelMigration) }
    }

    /// `vm.resolve-migration`.
    struct ResolveMigration: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "resolve-migration",
            abstract: "Says which end has the guest, to a source that is in doubt.",
            discussion: """
                A source whose last question was not answered keeps its guest standing still and \
                goes on asking. Look at the destination first (ctl info there), and answer for it \
                only when it cannot answer itself.

                owner=destination: the guest runs there. This VMM lets go of it and ends.
                owner=source: the guest does not run there and never will, because its VMM is \
                dead. It goes on here. If it does run there, both write to the same disks, and \
                their contents are lost.
                """)
        @OptionGroup var target: ControlTarget

        @Argument(
            help: ArgumentHelp("Who has the guest.", valueName: "owner=source|destination"),
            completion: .keys(of: ResolveMigrationData.self),
            transform: { try ResolveMigrationData(option: $0) })
        var resolution: ResolveMigrationData

        func run() throws { try target.call { try $0.resolveMigration(resolution) } }
    }
}
