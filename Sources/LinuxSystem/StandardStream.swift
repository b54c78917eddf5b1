internal import CLinux
import Glibc

/// The streams that a process is started with.
public enum StandardStream: Int32, Sendable {
    /// Standard input.
    case input = 0
    /// Standard output.
    case output = 1

    /// Another descriptor for the same open file, so that closing it leaves the stream open. Its
    /// status flags are those of the stream, which other processes may share: do not change them.
    public func duplicate() throws(SystemError) -> OwnedDescriptor {
        let name = self == .input ? "standard input" : "standard output"
        let number = try check(
            clinux_fcntl_value(rawValue, F_DUPFD_CLOEXEC, 3), "duplicate", name)
        return OwnedDescriptor(owning: number, name: name)
    }
}
