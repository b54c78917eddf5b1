/// What a guest's serial port is connected to.
public enum SerialOutput: Hashable, Sendable {
    /// Nothing: bytes are dropped.
    case null

    /// Standard output, with input from standard input.
    case standardStreams

    /// The end of a file, which is made if it does not exist.
    case file(path: String)
}
