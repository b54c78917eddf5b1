internal import CLinux
import Glibc
import Synchronization

/// A process that was started here and belongs to whoever holds this value: when the value ends,
/// the process is killed and waited for, so that nothing is left behind.
///
/// It inherits the environment and the network namespace of the calling thread, and no descriptors
/// but the three standard ones.
public final class ChildProcess: Sendable {
    /// The process number, valid until the process was waited for.
    public let identifier: Int32
    /// What was started, as errors name it.
    public let name: String
    private let ended: Mutex<ExitStatus?> = Mutex(nil)

    /// How a process ended.
    public enum ExitStatus: Hashable, Sendable {
        /// It returned this code.
        case exited(Int32)
        /// A signal ended it.
        case signalled(Int32)
    }

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - path: the program's file.
    ///   - arguments: without the program's own name.
    ///   - input: becomes standard input; nil for /dev/null.
    ///   - output: becomes standard output; nil for /dev/null.
    ///   - errors: becomes standard error; nil for this process's own.
    public init(
        path: String, arguments: [String], input: SharedDescriptor? = nil,
        output: SharedDescriptor? = nil, errors: SharedDescriptor? = nil
    ) throws(SystemError) {
        let null = try OwnedDescriptor(opening: "/dev/null", .write)
        let standard = [
            input?.descriptor.rawValue ?? null.rawValue,
            output?.descriptor.rawValue ?? null.rawValue,
            errors?.descriptor.rawValue ?? STDERR_FILENO,
        ]
        name = path
        identifier = try Self.spawn(path, arguments, standard)
    }

    deinit {
        signal(SIGKILL)
        _ = try? wait()
    }

    /// Sends a signal; harmless when the process has ended.
    public func signal(_ number: Int32) {
        ended.withLock { status in
            // Until it is waited for, the number cannot belong to another process.
            if status == nil { _ = kill(identifier, number) }
        }
    }

    /// How the process ended, nil while it runs.
    public var exitStatus: ExitStatus? {
        try? reap(flags: WNOHANG)
    }

    /// Waits until the process has ended.
    /// - Throws: `.timedOut` when the deadline comes first; the process runs on.
    public func wait(deadline: MonotonicInstant? = nil) throws(SystemError) -> ExitStatus {
        if let status = ended.withLock({ $0 }) { return status }
        if let deadline {
            let process = try OwnedDescriptor(
                adopting: check(clinux_pidfd_open(identifier), "watch", name), name: name)
            try process.wait(for: .readable, deadline: deadline)
        }
        guard let status = try reap(flags: 0) else {
            throw SystemError("wait for", name, .invalidArgument)
        }
        return status
    }

    private func reap(flags: Int32) throws(SystemError) -> ExitStatus? {
        if let status = ended.withLock({ $0 }) { return status }
        var code: Int32 = 0
        // SAFETY: the kernel fills the local.
        let result = try check(
            retrying { unsafe waitpid(identifier, &code, flags) }, "wait for", name)
        guard result == identifier else { return nil }
        // The layout of `wait` status words: Linux man page wait(2), W* macros.
        let signalNumber = code & 0x7f
        let status: ExitStatus =
            signalNumber == 0 ? .exited((code >> 8) & 0xff) : .signalled(signalNumber)
        ended.withLock { $0 = status }
        return status
    }

    private static func spawn(
        _ path: String, _ arguments: [String], _ standard: [Int32]
    ) throws(SystemError) -> Int32 {
        var actions = unsafe posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        // SAFETY: both are initialized here and destroyed on the way out; the strings live until
        // posix_spawn has returned, which copies them.
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawnattr_init(&attributes)
        defer {
            unsafe posix_spawn_file_actions_destroy(&actions)
            unsafe posix_spawnattr_destroy(&attributes)
        }
        for (target, source) in standard.enumerated() {
            unsafe posix_spawn_file_actions_adddup2(&actions, source, Int32(target))
        }
        // Worker threads block signals; a child must not inherit that.
        var none = sigset_t()
        unsafe sigemptyset(&none)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var words = unsafe ([path] + arguments).map { unsafe strdup($0) }
        unsafe words.append(nil)
        defer { for index in unsafe words.indices { unsafe free(words[index]) } }
        var identifier: Int32 = 0
        let result = unsafe posix_spawn(
            &identifier, path, &actions, &attributes, words, environ)
        guard result == 0 else { throw SystemError("start", path, Errno(rawValue: result)) }
        return identifier
    }
}
