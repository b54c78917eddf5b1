internal import ControlAPI
internal import LinuxSystem
internal import Synchronization

/// A call of `vm.receive-migration` that waits in the background.
public final class Reception: Sendable {
    private let result: Result
    private let thread: WorkerThread

    /// The outcome on its way out of the thread.
    private final class Result: Sendable {
        let error = Mutex<APIClientError?>(nil)
        let isDone = Atomic(false)
    }

    /// How long a VMM may take to listen, in milliseconds.
    private static let patience = 20_000

    /// Calls, and returns once the VMM listens.
    init(_ client: APIClient, _ migration: ReceiveMigrationData) throws(HarnessError) {
        let result = Result()
        self.result = result
        do throws(SystemError) {
            thread = try WorkerThread(name: "receive") { _ in
                do throws(APIClientError) {
                    try client.receiveMigration(migration, deadline: nil)
                } catch {
                    result.error.withLock { $0 = error }
                }
                result.isDone.store(true, ordering: .releasing)
            }
        } catch {
            throw .system(error)
        }
        try waitUntilListening(client)
    }

    /// Waits until the guest has come.
    ///
    /// - Throws: why it has not.
    public func wait() throws(HarnessError) {
        thread.join()
        if let error = result.error.withLock({ $0 }) { throw .api(error) }
    }

    private func waitUntilListening(_ client: APIClient) throws(HarnessError) {
        let deadline = MonotonicInstant.after(milliseconds: Self.patience)
        while !deadline.hasPassed {
            if result.isDone.load(ordering: .acquiring) { return try wait() }
            do throws(APIClientError) {
                let report = try client.migrationProgress()
                // Between migrations the report is that of the last one, or of none.
                if report.result == nil, report.phase != "none" { return }
            } catch {
                throw .api(error)
            }
            MonotonicInstant.after(milliseconds: 2).sleep()
        }
    }
}
