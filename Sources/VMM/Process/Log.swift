public import LinuxSystem
public import Logging

/// Where the log goes and how much of it.
public struct LogOptions: Sendable {
    /// A file that is appended to; nil for standard error.
    public var file: String?
    /// The least important level that is written.
    public var level: Logger.Level

    /// A log to `file`, or to standard error.
    public init(file: String? = nil, level: Logger.Level = .info) {
        self.file = file
        self.level = level
    }

    /// The level for a number of `-v`: info, debug, trace.
    public static func level(verbosity: Int) -> Logger.Level {
        switch verbosity {
        case ..<1: .info
        case 1: .debug
        default: .trace
        }
    }

    /// Opens what the log is written to.
    public func open() throws(SystemError) -> SharedDescriptor {
        let output: OwnedDescriptor =
            if let file {
                try OwnedDescriptor(opening: file, [.write, .create, .append])
            } else {
                try StandardStream.error.duplicate()
            }
        return SharedDescriptor(output)
    }

    /// The logger of a process, with its own handler: nothing global is set.
    ///
    /// - Parameters:
    ///   - output: what `open` has opened.
    ///   - start: when the clock of its lines began.
    public func makeLogger(
        to output: SharedDescriptor, since start: MonotonicInstant
    ) -> Logger {
        var logger = Logger(label: "martlet") { _ in LineLogHandler(output: output, start: start) }
        logger.logLevel = level
        return logger
    }
}

/// Writes one line for each message: seconds since the start, level, text.
struct LineLogHandler: LogHandler {
    let output: SharedDescriptor
    let start: MonotonicInstant
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let time = MonotonicInstant.now.nanoseconds(since: start) / 1_000_000
        let milliseconds = String(time % 1000 + 1000).dropFirst()
        var line = "\(time / 1000).\(milliseconds) \(event.level.rawValue): \(event.message)"
        for (key, value) in metadata.merging(event.metadata ?? [:], uniquingKeysWith: { $1 })
            .sorted(by: { $0.key < $1.key })
        {
            line += " \(key)=\(value)"
        }
        // A guest or a peer may have a hand in the text: it stays on its line.
        let printable = line.map { $0.isNewline ? " " : $0 }
        // One write for each line keeps lines of several threads apart; a full disk must not stop
        // the guest.
        try? output.descriptor.writeAll(Array(String(printable).utf8) + [0x0a])
    }
}
