import Harness
import LinuxSystem
import Synchronization

/// What a demo runs in: a folder, a network, and VMM processes.
final class DemoLab: Sendable {
    /// Path of `martlet`.
    let executable: String
    /// Path of the test guest.
    let guest: String
    /// The guest's memory.
    let mebibytes: Int
    private let interruption: Interruption
    private let processes = Mutex<[MartletProcess]>([])

    init(executable: String, guest: String, mebibytes: Int, _ interruption: Interruption) {
        self.executable = executable
        self.guest = guest
        self.mebibytes = mebibytes
        self.interruption = interruption
    }

    /// Starts a VMM.
    func start(
        _ name: String, in folder: TemporaryFolder, _ arguments: [String] = []
    ) throws -> MartletProcess {
        try checkInterruption()
        let process = try MartletProcess(
            executable: executable, name: name, folder: folder.path, arguments: arguments)
        processes.withLock { $0.append(process) }
        return process
    }

    /// Ends all VMMs, at once.
    func killAll() {
        for process in processes.withLock({ $0 }) { process.process.signal(9) }
    }

    /// Lets go of all VMMs, which ends those that still run.
    func endAll() {
        processes.withLock { $0 = [] }
    }

    /// Throws after Ctrl-C.
    func checkInterruption() throws {
        if interruption.isRequested { throw CommandFailure("Interrupted") }
    }
}

/// The program that runs here.
enum OwnExecutable {
    /// Its path.
    static func path() throws(SystemError) -> String {
        try SymbolicLink.target(of: "/proc/self/exe")
    }
}
