import ControlAPI
import LinuxSystem
import Machine
import Synchronization

/// What the control thread is asked to do.
enum ControlMessage: Sendable {
    /// A call of the API has come.
    case call(APICall, PendingReply)
    /// The guest did something that concerns its owner.
    case guest(GuestNotice, generation: UInt64)
    /// The thread of the migration has left its outcome.
    case migrationEnded
    /// The system or the user asks the process to end.
    case terminate(signal: Int32)
}

/// A reply on its way through the queue, whose messages are copyable and replies are not.
final class PendingReply: Sendable {
    private let reply: Mutex<APIReply?>

    init(_ reply: consuming APIReply) {
        self.reply = Mutex(reply)
    }

    /// The reply, for the first who asks.
    func take() -> APIReply? {
        reply.withLock { $0.take() }
    }
}

/// The control thread's queue: any thread puts messages in, one takes them out in order. The
/// signals that ask the process to end come in by it too.
final class ControlQueue: Sendable, APIHandler {
    private let messages = Mutex<[ControlMessage]>([])
    private let event: EventDescriptor
    private let signals: SignalDescriptor
    private let poller: Poller

    /// An empty queue.
    ///
    /// - Parameter signals: made before the process had a second thread.
    init(signals: consuming SignalDescriptor) throws(SystemError) {
        event = try EventDescriptor(name: "control queue")
        poller = try Poller()
        try poller.add(event.descriptor, for: .readable, token: 0)
        try poller.add(signals.descriptor, for: .readable, token: 1)
        self.signals = signals
    }

    /// Puts a message at the end.
    func post(_ message: ControlMessage) {
        messages.withLock { $0.append(message) }
        event.signal()
    }

    /// Puts a call at the end.
    func handle(_ call: APICall, reply: consuming APIReply) {
        post(.call(call, PendingReply(reply)))
    }

    /// Waits for messages and takes all that are there; none when the deadline comes first.
    func take(deadline: MonotonicInstant? = nil) throws(SystemError) -> [ControlMessage] {
        while true {
            event.drain()
            var taken = messages.withLock { messages in
                defer { messages = [] }
                return messages
            }
            while let signal = signals.next() {
                taken.append(.terminate(signal: signal))
            }
            if !taken.isEmpty { return taken }
            if try !poller.wait(deadline: deadline, { _, _ in }) { return [] }
        }
    }
}
