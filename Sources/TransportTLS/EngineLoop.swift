internal import Dispatch
internal import NIOCore

/// The event loop that NIO's handlers want to belong to: none at all.
///
/// A `TLSEngine` is used by whichever thread holds its lock, so every call is "in the loop", and
/// nothing is ever scheduled: the only thing that NIOSSL would schedule is the limit of a shutdown
/// that this engine does not wait for. (NIO's embedded loop serves a single thread only, and a
/// channel here may send from one thread and receive on another.)
final class EngineLoop: EventLoop {
    var inEventLoop: Bool { true }

    func execute(_ task: @escaping @Sendable () -> Void) {
        task()
    }

    func scheduleTask<Value>(
        deadline: NIODeadline, _ task: @escaping @Sendable () throws -> Value
    ) -> Scheduled<Value> {
        Scheduled(promise: makePromise(), cancellationTask: {})
    }

    func scheduleTask<Value>(
        in delay: TimeAmount, _ task: @escaping @Sendable () throws -> Value
    ) -> Scheduled<Value> {
        Scheduled(promise: makePromise(), cancellationTask: {})
    }

    func shutdownGracefully(
        queue: DispatchQueue, _ callback: @escaping @Sendable ((any Error)?) -> Void
    ) {
        queue.async { callback(nil) }
    }
}
