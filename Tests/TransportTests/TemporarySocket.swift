import Glibc
import Synchronization

/// A path of a socket for one test, short enough for the kernel. What a listener that is still
/// open leaves is removed when the tests end.
func temporaryPath(_ name: String) -> String {
    var generator = SystemRandomNumberGenerator()
    let path = "/tmp/martlet-\(name)-\(generator.next() % 1_000_000_007).sock"
    filesToRemove.withLock { paths in
        if paths.isEmpty { atexit(removeFiles) }
        paths += [path, path + ".lock"]
    }
    return path
}

private let filesToRemove = Mutex<[String]>([])

private func removeFiles() {
    for path in filesToRemove.withLock({ $0 }) {
        // SAFETY: the path is a terminated string for the length of the call.
        _ = unsafe unlink(path)
    }
}
