import ArgumentParser
import Harness
import LinuxSystem
import VMM

/// `martlet demo`: boots a guest and moves it, for a person to watch.
struct Demo: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Boots a test guest and moves it twice while it works, for you to watch.",
        discussion: """
            The guest writes to its memory and verifies it, and answers a TCP connection from this \
            host over a tap. It is moved over TCP, then locally. Everything happens in a network \
            namespace and a folder of its own and is gone at the end, also after Ctrl-C.

            Needs /dev/kvm, and root for the network. Without /dev/kvm a simulated machine is \
            moved instead.
            """)

    @Option(
        help: ArgumentHelp("The test guest (built by `make`).", valueName: "path"),
        completion: .file())
    var guest: String?

    @Option(help: ArgumentHelp("The guest's memory in MiB.", valueName: "mebibytes"))
    var memory: Int = 512

    @Flag(help: "Move the simulated machine, although there is /dev/kvm.")
    var simulated = false

    func validate() throws {
        guard (64...65536).contains(memory) else {
            throw ValidationError("--memory takes 64 to 65536 MiB")
        }
    }

    func run() throws {
        BrokenPipeSignal.ignore()
        if simulated {
            return try simulate()
        }
        do throws(SystemError) {
            try KVMAvailability.check()
        } catch {
            say("No guest can run on KVM here: \(error).\n")
            return try simulate()
        }
        let interruption = try Interruption()
        let lab = DemoLab(
            executable: try OwnExecutable.path(), guest: try guestPath(),
            mebibytes: memory, interruption)
        try interruption.run(lab) { try DemoFlight(lab).run() }
    }

    private func simulate() throws {
        do {
            try SimulatedDemo(mebibytes: memory).run()
        } catch {
            throw CommandFailure(error)
        }
    }

    /// The guest that was named, or the one which `make` built beside this program.
    private func guestPath() throws -> String {
        if let guest { return guest }
        let folder = try OwnExecutable.path().split(separator: "/").dropLast()
            .joined(separator: "/")
        // Installed beside the program, or built by `make` two folders above SwiftPM's.
        for candidate in ["/\(folder)/nestling.elf", "/\(folder)/../../nestling/nestling.elf"]
        where (try? OwnedDescriptor(opening: candidate)) != nil {
            return candidate
        }
        throw CommandFailure(
            "The test guest is not beside this program; name it with --guest PATH "
                + "(`make nestling` builds .build/nestling/nestling.elf)")
    }
}
