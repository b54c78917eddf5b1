import Glibc

extension MonotonicInstant {
    /// Blocks the calling thread until this point of time. For threads of their own and command
    /// lines; never on a thread that serves others.
    public func sleep() {
        while !hasPassed {
            var time = remaining
            // SAFETY: both arguments live for the length of the call.
            unsafe nanosleep(&time, nil)
        }
    }
}
