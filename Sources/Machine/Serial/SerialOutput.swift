/// What a guest's serial port or console is connected to.
public enum SerialOutput: Hashable, Sendable {
    /// Nothing: bytes are dropped.
    case null

    /// Standard output, with input from standard input.
    case standardStreams

    /// The end of a file, which is made if it does not exist.
    case file(path: String)

    /// Whoever connects to a UNIX socket at this path, one at a time: the newest.
    case socket(path: String)

    /// A pseudo terminal of its own.
    case terminal
}
