import Harness
import LinuxSystem
import Synchronization
import Testing

/// Where the VMMs of one test live: a folder, and a network of their own where the user may make
/// one. Everything goes with it.
final class Lab: Sendable {
    private let temporary: TemporaryFolder
    private let network: LabSpace?
    private let logs = Mutex<[String]>([])

    /// An empty folder, and a network with a tap.
    init() throws {
        temporary = try TemporaryFolder(prefix: "martlet-test")
        network = Prerequisites.hasNetworks ? try onOwnThread { try LabSpace() } : nil
    }

    /// A VMM that ended by its own filter is never what a test wants, also where it was to end
    /// anyway.
    deinit {
        for path in logs.withLock({ $0 }) {
            let bytes = try? OwnedDescriptor(opening: path).readAll(maximum: 1 << 20)
            let lines = String(decoding: bytes ?? [], as: UTF8.self).split(separator: "\n")
            for line in lines where line.contains("a system call that is denied to it") {
                Issue.record("\(line)")
            }
        }
    }

    /// A path in the folder.
    func path(_ name: String) -> String { "\(temporary.path)/\(name)" }

    /// Starts a VMM in this network, and waits until it answers.
    ///
    /// - Parameters:
    ///   - name: names its socket and its log.
    ///   - input: its standard input; nil for none.
    ///   - output: its standard output; nil for none.
    func start(
        _ name: String, _ arguments: [String] = [], input: SharedDescriptor? = nil,
        output: SharedDescriptor? = nil
    ) throws -> MartletProcess {
        let executable = try #require(Prerequisites.executable)
        let folder = temporary.path
        logs.withLock { $0.append("\(folder)/\(name).log") }
        return try inNetwork {
            try MartletProcess(
                executable: executable, name: name, folder: folder, arguments: arguments,
                input: input, output: output)
        }
    }

    /// Runs a program to its end in this network.
    func run(_ path: String, _ arguments: [String]) throws -> CommandRun {
        let folder = temporary.path
        return try inNetwork {
            try CommandRun(
                path: path, arguments: arguments, folder: folder,
                deadline: .after(milliseconds: 120_000))
        }
    }

    /// Runs `martlet` with some words to its end in this network.
    func martlet(_ arguments: String...) throws -> CommandRun {
        try run(try #require(Prerequisites.executable), arguments)
    }

    /// Does something on a thread in this network.
    func inNetwork<Value: Sendable>(
        _ body: @escaping @Sendable () throws -> Value
    ) throws -> Value {
        guard let network else { return try body() }
        return try onOwnThread {
            try network.network.enter()
            return try body()
        }
    }
}

/// Holds a network, which cannot be copied.
private final class LabSpace: Sendable {
    let network: LabNetwork

    /// Moves the calling thread into the new network.
    init() throws(SystemError) {
        network = try LabNetwork.enterNew()
    }
}

/// Does something on a thread made for it, which may enter namespaces, and waits for it.
private func onOwnThread<Value: Sendable>(
    _ body: @escaping @Sendable () throws -> Value
) throws -> Value {
    let outcome = Outcome<Value>()
    let thread = try WorkerThread(name: "lab") { _ in
        let result = Result { try body() }
        outcome.value.withLock { $0 = result }
    }
    thread.join()
    return try #require(outcome.value.withLock { $0 }).get()
}

/// What a thread leaves for whoever waits for it.
private final class Outcome<Value: Sendable>: Sendable {
    let value = Mutex<Result<Value, any Error>?>(nil)
}
