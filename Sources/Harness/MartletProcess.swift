public import ControlAPI
public import LinuxSystem

/// A VMM that runs as a process of its own: `martlet run` with an API socket. It is killed when
/// the last reference goes.
public final class MartletProcess: Sendable {
    /// The process.
    public let process: ChildProcess
    /// Calls its API.
    public let client: APIClient
    /// The file with its log, for what to show when something went wrong.
    public let logPath: String

    /// Starts a VMM and waits until its API answers.
    ///
    /// - Parameters:
    ///   - executable: path of `martlet`.
    ///   - name: names its socket and its log in `folder`.
    ///   - folder: an existing folder for the socket and the log.
    ///   - arguments: further options of `martlet run`, such as a guest's.
    ///   - input: its standard input; nil for none.
    ///   - output: its standard output; nil for none.
    ///   - patience: how long it may take to answer its first call, in milliseconds: it takes a
    ///     guest's memory before, if it is to be taken at the start.
    public init(
        executable: String, name: String, folder: String, arguments: [String] = [],
        input: SharedDescriptor? = nil, output: SharedDescriptor? = nil, patience: Int = 20_000
    ) throws(HarnessError) {
        let socket = "\(folder)/\(name).sock"
        logPath = "\(folder)/\(name).log"
        client = APIClient(path: socket)
        do throws(SystemError) {
            process = try ChildProcess(
                path: executable,
                arguments: ["run", "--api-socket", socket, "--log-file", logPath, "-v"]
                    + arguments,
                input: input, output: output,
                errors: SharedDescriptor(
                    try OwnedDescriptor(opening: logPath, [.write, .create, .append])))
        } catch {
            throw .system(error)
        }
        try waitUntilReady(name, deadline: .after(milliseconds: patience))
    }

    /// Makes this VMM wait for a guest, in the background.
    ///
    /// - Returns: once it listens, a reception that tells when the guest has come.
    public func receive(at url: String) throws(HarnessError) -> Reception {
        try receive(ReceiveMigrationData(receiverURL: url))
    }

    /// Makes this VMM wait for a guest, in the background.
    ///
    /// - Returns: once it listens, a reception that tells when the guest has come.
    public func receive(_ migration: ReceiveMigrationData) throws(HarnessError) -> Reception {
        try Reception(client, migration)
    }

    /// Moves the guest of this VMM and waits for the end.
    ///
    /// - Returns: how it ended, as the source tells.
    public func send(_ migration: SendMigrationData) throws(HarnessError) -> MigrationResult {
        do throws(APIClientError) {
            // Asking before the start as well tells the source that somebody follows.
            try client.sendMigration(migration)
            while true {
                let report = try client.migrationProgress()
                if let result = report.result { return result }
                MonotonicInstant.after(milliseconds: 5).sleep()
            }
        } catch {
            throw .api(error)
        }
    }

    /// What it has logged.
    public var log: String {
        guard let file = try? OwnedDescriptor(opening: logPath),
            let bytes = try? file.readAll(maximum: 1 << 20)
        else { return "" }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func waitUntilReady(
        _ name: String, deadline: MonotonicInstant
    ) throws(HarnessError) {
        while true {
            if (try? client.ping()) != nil { return }
            if process.exitStatus != nil || deadline.hasPassed {
                throw .notStarted(name: name, log: log)
            }
            MonotonicInstant.after(milliseconds: 2).sleep()
        }
    }
}

/// Why something in a lab of VMM processes failed.
public enum HarnessError: Error, CustomStringConvertible {
    /// The kernel refused.
    case system(SystemError)
    /// A VMM refused a call or vanished.
    case api(APIClientError)
    /// A VMM ended, or did not answer in time, right after it was started.
    case notStarted(name: String, log: String)

    /// One sentence, and the log where it tells more.
    public var description: String {
        switch self {
        case .system(let error): error.description
        case .api(let error): error.description
        case .notStarted(let name, let log): "The VMM \(name) did not start:\n\(log)"
        }
    }
}
