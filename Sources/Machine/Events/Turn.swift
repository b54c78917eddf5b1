import Glibc
private import Synchronization

/// A lock which the thread that holds it may take again.
///
/// It lets handlers of an event loop and the closures of other threads exclude each other while
/// one of them calls a device that wants the same exclusion.
final class Turn: Sendable {
    private let mutex = Mutex(())

    /// The thread that holds the mutex; 0, which is no thread, when nobody does. Only a thread
    /// itself ever stores its own number, so a thread that reads it holds the mutex.
    private let holder = Atomic<UInt>(0)

    func hold<Value: Sendable, Failure: Error>(
        _ body: () throws(Failure) -> Value
    ) throws(Failure) -> Value {
        let thread = UInt(pthread_self())
        if holder.load(ordering: .relaxed) == thread { return try body() }
        return try mutex.withLock { _ throws(Failure) -> Value in
            holder.store(thread, ordering: .relaxed)
            defer { holder.store(0, ordering: .relaxed) }
            return try body()
        }
    }
}
