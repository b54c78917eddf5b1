internal import CLinux
import Glibc
import Synchronization

/// A thread with a name which runs one closure. It can be asked to stop, interrupted in a blocking
/// system call, and is waited for.
///
/// The closure gets the event that asks it to stop and returns soon after that is signalled.
/// A thread that blocks elsewhere than in a poller with this event must also be kicked.
/// Signals for the process are never delivered to it.
public final class WorkerThread: Sendable {
    /// At most 15 bytes of it show in `ps -L`.
    public let name: String
    private let shared: Shared
    private let thread: pthread_t
    private let joined = Mutex(false)

    /// Starts the thread.
    ///
    /// - Parameters:
    ///   - name: For people: "vcpu0", "devices".
    ///   - kind: What it is for. Nil in programs without filters of system calls: where there are
    ///     filters, such a thread is refused.
    ///   - body: What it runs; its argument is signalled by `requestStop`.
    public init(
        name: String, kind: ThreadKind? = nil,
        body: @escaping @Sendable (borrowing EventDescriptor) -> Void
    ) throws(SystemError) {
        _ = try WorkerThread.kickHandler.get()
        let starter = ThreadStarter.current
        let shared = Shared(
            name: name, kind: kind, starter: starter,
            stop: try EventDescriptor(name: "stop of \(name)"), body: body)
        thread = if let starter { try starter.start(shared) } else { try shared.launch() }
        self.name = name
        self.shared = shared
    }

    deinit {
        requestStop()
        join()
    }

    /// Asks the closure to return. Can be called at any time, from anywhere.
    public func requestStop() {
        shared.stop.signal()
    }

    /// Interrupts the blocking system call that the thread is in, if any: it returns `.interrupted`
    /// where the caller does not repeat it. A call that starts a moment later is not interrupted,
    /// so callers pair this with a flag (for KVM_RUN: immediate exit) or repeat it.
    public func kick() {
        shared.finished.withLock { finished in
            // The thread cannot end while this lock is held, so the number is still its own.
            if !finished {
                _ = pthread_kill(thread, clinux_kick_signal())
            }
        }
    }

    /// Waits until the closure has returned. On the thread itself, and when called again, returns
    /// at once.
    public func join() {
        let isOwn = pthread_equal(thread, pthread_self()) != 0
        let isFirst = joined.withLock { joined in
            defer { joined = true }
            return !joined
        }
        guard isFirst else { return }
        if isOwn {
            _ = pthread_detach(thread)
        } else {
            _ = pthread_join(thread, nil)
        }
    }

    /// Gives up waiting for the thread, which runs as long as the process.
    package func detach() {
        let isFirst = joined.withLock { joined in
            defer { joined = true }
            return !joined
        }
        if isFirst { _ = pthread_detach(thread) }
    }

    /// Installed once for the process, when the first thread is started.
    private static let kickHandler: Result<Void, SystemError> = {
        do throws(SystemError) {
            _ = try check(clinux_install_kick(), "install", "the signal handler for threads")
            return .success(())
        } catch {
            return .failure(error)
        }
    }()

    /// What the thread and its owner both hold.
    final class Shared: Sendable {
        private let name: String
        private let kind: ThreadKind?
        private let starter: ThreadStarter?
        let stop: EventDescriptor
        private let body: @Sendable (borrowing EventDescriptor) -> Void
        let finished = Mutex(false)

        init(
            name: String, kind: ThreadKind?, starter: ThreadStarter?,
            stop: consuming EventDescriptor,
            body: @escaping @Sendable (borrowing EventDescriptor) -> Void
        ) {
            self.name = name
            self.kind = kind
            self.starter = starter
            self.stop = stop
            self.body = body
        }

        /// Makes the thread, as a child of the calling one.
        func launch() throws(SystemError) -> pthread_t {
            if starter != nil, kind == nil {
                throw SystemError(
                    "start", "thread \(name)", .notPermitted,
                    advice: "it is of no kind that a filter is known for")
            }
            var thread = pthread_t()
            let argument = unsafe Unmanaged.passRetained(self)
            // SAFETY: the retained reference goes to the new thread, which releases it; if there
            // is no thread it is released here.
            let result = unsafe pthread_create(&thread, nil, runWorker, argument.toOpaque())
            guard result == 0 else {
                unsafe argument.release()
                throw SystemError("start", "thread \(name)", Errno(rawValue: result))
            }
            return thread
        }

        /// What the thread does.
        fileprivate func run() {
            clinux_mask_worker_signals()
            // A name that is too long would not be set at all.
            let shortName = String(decoding: name.utf8.prefix(15), as: UTF8.self)
            // SAFETY: the name is a terminated string for the length of the call.
            _ = unsafe clinux_name_own_thread(shortName)
            if let starter, let kind { starter.confine(kind, named: name) }
            body(stop)
            finished.withLock { $0 = true }
        }
    }
}

/// The first function on the new thread.
private func runWorker(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument = unsafe argument else { return nil }
    // SAFETY: the reference that `launch` retained for this thread.
    unsafe Unmanaged<WorkerThread.Shared>.fromOpaque(argument).takeRetainedValue().run()
    return nil
}
