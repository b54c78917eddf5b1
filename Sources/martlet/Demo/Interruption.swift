import ArgumentParser
import Harness
import LinuxSystem
import Synchronization

/// Ctrl-C during a demo: work goes on in a thread, this one waits for its end or for the signal,
/// upon which everything that the work waits for is taken away so that it ends and cleans up.
final class Interruption: Sendable {
    private let signals: SignalDescriptor
    private let done: EventDescriptor
    private let hasCome = Atomic(false)
    private let failure = Mutex<CommandFailure?>(nil)

    /// Call it before there is a second thread.
    init() throws(SystemError) {
        signals = try SignalDescriptor()
        done = try EventDescriptor(name: "end of the demo")
    }

    /// Whether the work shall end.
    var isRequested: Bool { hasCome.load(ordering: .relaxed) }

    /// Runs the work in a thread of its own and waits for it.
    ///
    /// - Throws: what the work throws; status 130 after Ctrl-C, as shells have it.
    func run(_ lab: DemoLab, _ work: @escaping @Sendable () throws -> Void) throws {
        let thread = try WorkerThread(name: "demo") { _ in
            do {
                try work()
            } catch {
                self.failure.withLock { $0 = CommandFailure(error) }
            }
            self.done.signal()
        }
        try waitForEnd()
        if isRequested { lab.killAll() }
        thread.join()
        if isRequested {
            say("\nInterrupted; everything is cleaned up.")
            throw ExitCode(130)
        }
        if let failure = failure.withLock({ $0 }) { throw failure }
    }

    private func waitForEnd() throws(SystemError) {
        let poller = try Poller()
        try poller.add(signals.descriptor, for: .readable, token: 0)
        try poller.add(done.descriptor, for: .readable, token: 1)
        try poller.wait { token, _ in
            if token == 0 { hasCome.store(true, ordering: .relaxed) }
        }
    }
}
