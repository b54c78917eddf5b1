import Glibc
import Synchronization

/// The one thread of a process that makes all others, from when there are filters of system calls.
///
/// A thread inherits the filters of the one that makes it and can only add to them. So a thread
/// that may do little could make none that may do more; and each would have to be allowed to make
/// threads at all. With a starter, whose filter allows what any kind needs, only that one thread
/// may, each other has exactly two filters, and it does not matter who asks for it.
///
/// Filters belong to a process as the handlers of its signals do, so there is one starter or none.
public final class ThreadStarter: Sendable {
    private static let installed = Mutex<ThreadStarter?>(nil)

    /// The starter of this process, if it has one.
    static var current: ThreadStarter? { installed.withLock { $0 } }

    private let confine: @Sendable (ThreadKind, String) -> Void
    /// One thread at a time asks.
    private let turn = Mutex(())
    private let exchange = Mutex(Exchange.none)
    private let asked: EventDescriptor
    private let answered: EventDescriptor

    private enum Exchange: Sendable {
        case none
        case asked(WorkerThread.Shared)
        case answered(Result<pthread_t, SystemError>)
    }

    /// Makes the starter, and returns when its own filter is in place: all threads that start later
    /// come from it. For the rest of the process's life.
    ///
    /// - Parameter confine: puts the calling thread, which is of this kind and has this name, under
    ///   its filter. It is called first on each new thread and ends the process where it fails.
    public static func install(
        confine: @escaping @Sendable (ThreadKind, String) -> Void
    ) throws(SystemError) {
        let starter = try ThreadStarter(confine)
        let thread = try WorkerThread(name: "starter", kind: .starter) { _ in
            confine(.starter, "starter")
            starter.answered.signal()
            starter.serve()
        }
        try starter.answered.wait()
        starter.answered.drain()
        thread.detach()
        installed.withLock { $0 = starter }
    }

    private init(
        _ confine: @escaping @Sendable (ThreadKind, String) -> Void
    ) throws(SystemError) {
        self.confine = confine
        asked = try EventDescriptor(name: "thread that is wanted")
        answered = try EventDescriptor(name: "thread that was made")
    }

    /// Makes a thread for the calling one.
    func start(_ shared: WorkerThread.Shared) throws(SystemError) -> pthread_t {
        let result = turn.withLock { _ -> Result<pthread_t, SystemError> in
            exchange.withLock { $0 = .asked(shared) }
            asked.signal()
            while true {
                // Waiting for an event fails only where its descriptor is wrong, which it is not.
                try? answered.wait()
                answered.drain()
                let answer = exchange.withLock { exchange -> Result<pthread_t, SystemError>? in
                    guard case .answered(let result) = exchange else { return nil }
                    exchange = .none
                    return result
                }
                if let answer { return answer }
            }
        }
        return try result.get()
    }

    /// Puts a new thread under its filter; called on it.
    func confine(_ kind: ThreadKind, named name: String) { confine(kind, name) }

    private func serve() {
        while true {
            try? asked.wait()
            asked.drain()
            exchange.withLock { exchange in
                guard case .asked(let shared) = exchange else { return }
                exchange = .answered(Result { () throws(SystemError) in try shared.launch() })
            }
            answered.signal()
        }
    }
}
