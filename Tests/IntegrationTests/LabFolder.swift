import Glibc
import LinuxSystem

/// A folder of its own for one test, which is removed with everything in it.
final class LabFolder: Sendable {
    /// The folder's path: short, since the paths of UNIX sockets are limited.
    let path: String

    /// Makes an empty folder.
    init() throws {
        path = "/tmp/martlet-test-\(UInt32.random(in: 0 ... .max))"
        // SAFETY: the path is a terminated string for the length of the call.
        guard unsafe mkdir(path, 0o700) == 0 else {
            throw NeverCame(description: "\(path) cannot be made: errno \(errno)")
        }
    }

    deinit {
        let removal = try? ChildProcess(path: "/bin/rm", arguments: ["-rf", "--", path])
        _ = try? removal?.wait()
    }
}
