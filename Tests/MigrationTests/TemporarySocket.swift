import Glibc
import Synchronization
import Transport

/// A URL of a socket for one test, short enough for the kernel. The lock that a listener leaves
/// beside it is removed when the tests end.
func temporarySocket(_ name: String) -> MigrationURL {
    var generator = SystemRandomNumberGenerator()
    let path = "/tmp/martlet-\(name)-\(generator.next() % 1_000_000_007).sock"
    locksToRemove.withLock { paths in
        if paths.isEmpty { atexit(removeLocks) }
        paths.append(path + ".lock")
    }
    return .unix(path: path)
}

private let locksToRemove = Mutex<[String]>([])

private func removeLocks() {
    for path in locksToRemove.withLock({ $0 }) {
        // SAFETY: the path is a terminated string for the length of the call.
        _ = unsafe unlink(path)
    }
}
