public import LinuxSystem

/// A program that was run to its end, and what it said.
public struct CommandRun: Sendable {
    /// How it ended.
    public let status: ChildProcess.ExitStatus
    /// What it wrote to standard output, up to 1 MiB.
    public let output: String
    /// What it wrote to standard error, up to 1 MiB.
    public let errors: String

    private static let maximumOutput = 1 << 20

    /// Starts a program and waits for its end.
    ///
    /// - Parameters:
    ///   - path: the program's file.
    ///   - arguments: without the program's own name.
    ///   - folder: an existing folder, for the files that take the output.
    ///   - deadline: when the program is killed.
    /// - Throws: `.timedOut` when the program had to be killed.
    public init(
        path: String, arguments: [String], folder: String, deadline: MonotonicInstant
    ) throws(SystemError) {
        let name = "\(folder)/command-\(UInt32.random(in: 0 ... .max))"
        let files = (output: "\(name).out", errors: "\(name).err")
        let process = try ChildProcess(
            path: path, arguments: arguments,
            output: SharedDescriptor(
                try OwnedDescriptor(opening: files.output, [.write, .create, .append])),
            errors: SharedDescriptor(
                try OwnedDescriptor(opening: files.errors, [.write, .create, .append])))
        status = try process.wait(deadline: deadline)
        output = try Self.contents(files.output)
        errors = try Self.contents(files.errors)
    }

    private static func contents(_ path: String) throws(SystemError) -> String {
        let file = try OwnedDescriptor(opening: path)
        return String(decoding: try file.readAll(maximum: maximumOutput), as: UTF8.self)
    }
}
