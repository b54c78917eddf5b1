internal import LinuxSystem
internal import Synchronization

/// Asks the threads of a device to end their work soon.
final class StopFlag: Sendable {
    private let flag = Atomic<Bool>(false)

    var isSet: Bool { flag.load(ordering: .relaxed) }

    func set() {
        flag.store(true, ordering: .relaxed)
    }
}

/// Decides when the threads of a device exist: while its driver uses it *and* its owner lets it
/// run. Everything else is built on that: a device is drained when its threads have ended, and one
/// that was moved goes on when they start, with the same code as after boot.
final class DeviceActivity: Sendable {
    /// Starts the threads that serve the queues.
    typealias Start =
        @Sendable (DeviceActivation, StopFlag) throws(SystemError) -> [WorkerThread]

    private struct State {
        var activation: DeviceActivation?
        var isAllowed = false
        var threads: [WorkerThread] = []
        var stop = StopFlag()
    }

    private let state = Mutex(State())

    /// The driver's activation, if there is one.
    var activation: DeviceActivation? { state.withLock { $0.activation } }

    /// Whether the owner lets the device run.
    var isAllowed: Bool { state.withLock { $0.isAllowed } }

    /// The driver uses the device from now on.
    func activate(_ activation: DeviceActivation, start: Start) {
        state.withLock { state in
            state.activation = activation
            do throws(SystemError) {
                try Self.startIfPossible(&state, start)
            } catch {
                activation.notifier.fail("The device's threads cannot be started: \(error)")
            }
        }
    }

    /// The driver has let go of the device. When this returns no request is in work.
    func deactivate() {
        state.withLock { state in
            Self.stop(&state)
            state.activation = nil
        }
    }

    /// The owner lets the device run.
    func resume(start: Start) throws(SystemError) {
        try state.withLock { state throws(SystemError) in
            state.isAllowed = true
            do throws(SystemError) {
                try Self.startIfPossible(&state, start)
            } catch {
                state.isAllowed = false
                throw error
            }
        }
    }

    /// The owner wants the device to stand still. When this returns no request is in work.
    func quiesce() {
        state.withLock { state in
            state.isAllowed = false
            Self.stop(&state)
        }
    }

    private static func startIfPossible(
        _ state: inout State, _ start: Start
    ) throws(SystemError) {
        guard let activation = state.activation, state.isAllowed, state.threads.isEmpty else {
            return
        }
        state.stop = StopFlag()
        state.threads = try start(activation, state.stop)
    }

    private static func stop(_ state: inout State) {
        state.stop.set()
        for thread in state.threads { thread.requestStop() }
        for thread in state.threads { thread.join() }
        state.threads = []
    }
}
