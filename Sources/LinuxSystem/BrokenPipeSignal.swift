import Glibc

/// The signal that by default ends a process which writes to a pipe whose reader is gone.
public enum BrokenPipeSignal {
    /// Lets such writes fail with `.brokenPipe` instead, in the whole process from now on.
    public static func ignore() {
        _ = signal(SIGPIPE, SIG_IGN)
    }
}
