internal import CLinux
import Glibc

/// A lock on a whole file that belongs to an open file description (OFD), not to a process: every
/// descriptor that was duplicated or passed from it shares it, and an unlock at one unlocks all.
/// It ends when the last of them is closed, which the kernel does even for a killed process.
public struct FileLock: ~Copyable, Sendable {
    /// The file.
    public let descriptor: OwnedDescriptor

    /// Who else may hold a lock.
    public enum Mode: Sendable {
        /// Others that are shared too. The file need only be readable.
        case shared
        /// Nobody. The file must be writable.
        case exclusive

        fileprivate var type: Int32 {
            switch self {
            case .shared: F_RDLCK
            case .exclusive: F_WRLCK
            }
        }
    }

    /// Locks the file.
    /// - Throws: `.wouldBlock` when somebody holds a lock against it, with who it is if the kernel
    ///   knows.
    public init(
        locking descriptor: consuming OwnedDescriptor, _ mode: Mode
    ) throws(SystemError) {
        try descriptor.lock(mode)
        self.descriptor = descriptor
    }

    /// Unlocks the file, for all who share the open file description, and gives it back.
    public consuming func unlock() throws(SystemError) -> OwnedDescriptor {
        try descriptor.unlock()
        return descriptor
    }
}

extension OwnedDescriptor {
    /// Locks the whole file; a lock of the same open file description is changed to this mode.
    /// - Throws: `.wouldBlock` when somebody holds a lock against it, with who it is if the kernel
    ///   knows.
    public func lock(_ mode: FileLock.Mode) throws(SystemError) {
        let result = retryingShim { clinux_lock(rawValue, mode.type) }
        guard result == -EAGAIN || result == -EACCES else {
            _ = try check(result, "lock", name)
            return
        }
        throw SystemError("lock", name, .wouldBlock, advice: holder(against: mode))
    }

    /// Unlocks the whole file, for all who share the open file description.
    public func unlock() throws(SystemError) {
        _ = try check(retryingShim { clinux_lock(rawValue, F_UNLCK) }, "unlock", name)
    }

    private func holder(against mode: FileLock.Mode) -> String {
        var process: pid_t = 0
        // SAFETY: the kernel's answer goes to the local.
        let type = unsafe clinux_lock_conflict(rawValue, mode.type, &process)
        return switch (type, process) {
        case (F_UNLCK, _): "the lock was let go a moment ago, try again"
        case (_, 1...): "process \(process) holds it"
        default: "another process holds it; find it with lslocks"
        }
    }
}
