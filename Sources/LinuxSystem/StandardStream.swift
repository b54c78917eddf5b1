internal import CLinux
import Glibc

/// The streams that a process is started with.
public enum StandardStream: Int32, Sendable {
    /// Standard input.
    case input = 0
    /// Standard output.
    case output = 1
    /// Standard error.
    case error = 2

    /// As errors name it.
    private var name: String {
        switch self {
        case .input: "standard input"
        case .output: "standard output"
        case .error: "standard error"
        }
    }

    /// The width of the terminal that the stream is, in characters; nil when it is none.
    public var terminalColumns: Int? {
        var size = winsize()
        // SAFETY: the kernel fills the local.
        guard unsafe clinux_ioctl_pointer(rawValue, UInt(TIOCGWINSZ), &size) >= 0, size.ws_col > 0
        else { return nil }
        return Int(size.ws_col)
    }

    /// Another descriptor for the same open file, so that closing it leaves the stream open. Its
    /// status flags are those of the stream, which other processes may share: do not change them.
    public func duplicate() throws(SystemError) -> OwnedDescriptor {
        let number = try check(
            clinux_fcntl_value(rawValue, F_DUPFD_CLOEXEC, 3), "duplicate", name)
        return OwnedDescriptor(owning: number, name: name)
    }
}
