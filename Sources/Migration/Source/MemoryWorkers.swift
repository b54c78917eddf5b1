import GuestMemory
import LinuxSystem
import MigrationProtocol
import Synchronization
import Transport

/// The memory connections of a source, with a thread for each, which send the rounds together.
///
/// The migration's thread makes them, gives them one round after the other, and ends them; a
/// worker takes part after part of the round (`MemoryRound`). A round is over when the destination
/// has answered for all of it on every connection: only then may a page of it be sent again, on
/// whichever connection. The first failure ends the round for all.
final class MemoryWorkers<Outside: Network>: Sendable {
    private struct Job: Sendable {
        var round: MemoryRound
        var zeroPages: MemorySender.ZeroPages
        var guestStands: Bool
        var bounds: @Sendable () -> OperationLimits
    }

    private struct State {
        /// The round that is being sent.
        var job: Job?
        /// Counts rounds, so that a worker knows a new one.
        var number = 0
        /// Workers that are not done with it.
        var busyCount = 0
        var contentBytes: UInt64 = 0
        var failure: MigrationError?
        var isEnded = false
    }

    /// One connection and what wakes its thread.
    private final class Worker: Sendable {
        let connection: Outside.Connection
        let wakeUp: EventDescriptor

        init(_ connection: Outside.Connection) throws(SystemError) {
            self.connection = connection
            wakeUp = try EventDescriptor(name: "memory connection")
        }
    }

    private let network: Outside
    private let memory: GuestRAM
    private let board: ProgressBoard
    private let extensions: Extensions
    private let plan: ContentPlan
    private let pace: MemoryPace
    private let workers: [Worker]
    private let roundEnded: EventDescriptor
    private let state = Mutex(State())

    private init(
        network: Outside, memory: GuestRAM, board: ProgressBoard, extensions: Extensions,
        plan: ContentPlan, workers: [Worker], pace: MemoryPace
    ) throws(SystemError) {
        self.pace = pace
        self.network = network
        self.memory = memory
        self.board = board
        self.extensions = extensions
        self.plan = plan
        self.workers = workers
        roundEnded = try EventDescriptor(name: "end of a round")
    }

    /// Makes the connections and starts their threads.
    ///
    /// - Parameters:
    ///   - count: connections, 2 to `Limits.memoryConnections`.
    ///   - session: the options, network, limits and protocol state of the migration, which has
    ///     configured its destination.
    static func start(
        count: Int, for session: SourceSession<Outside>, memory: GuestRAM
    ) throws(MigrationError) -> MemoryWorkers {
        let connections = try MemoryConnectionMaker<Outside>.make(count: count, for: session)
        do throws(SystemError) {
            var workers: [Worker] = []
            for connection in connections { workers.append(try Worker(connection)) }
            let made = try MemoryWorkers(
                network: session.network, memory: memory, board: session.control.board,
                extensions: session.state.extensions, plan: session.contents, workers: workers,
                pace: session.pace)
            try made.launch()
            return made
        } catch {
            for connection in connections { connection.close(.abrupt) }
            throw .unsupported("A memory connection cannot be used: \(error)")
        }
    }

    private func launch() throws(SystemError) {
        for index in workers.indices {
            do throws(SystemError) {
                try network.spawn(.sender, "memory-\(index)") { [self] in work(index) }
            } catch {
                end(.abrupt)
                throw error
            }
        }
    }

    /// Sends a round over all connections.
    ///
    /// - Returns: bytes of content.
    func send(
        _ round: MemoryRound, zeroPages: MemorySender.ZeroPages, guestStands: Bool,
        within bounds: @escaping @Sendable () -> OperationLimits
    ) throws(MigrationError) -> UInt64 {
        state.withLock { state in
            state.job = Job(
                round: round, zeroPages: zeroPages, guestStands: guestStands, bounds: bounds)
            state.number += 1
            state.busyCount = workers.count
            state.contentBytes = 0
        }
        for worker in workers { worker.wakeUp.signal() }
        _ = network.wait(on: roundEnded, until: .distantFuture) { [self] in
            state.withLock { $0.busyCount == 0 || $0.isEnded }
        }
        let (bytes, failure) = state.withLock { state in
            state.job = nil
            return (state.contentBytes, state.failure)
        }
        if let failure { throw failure }
        return bytes
    }

    /// Closes all connections and lets the threads go.
    func end(_ manner: ClosingManner) {
        let wasEnded = state.withLock { state in
            defer { state.isEnded = true }
            return state.isEnded
        }
        guard !wasEnded else { return }
        for worker in workers {
            worker.connection.close(manner)
            worker.wakeUp.signal()
        }
    }

    // MARK: - On the workers' threads

    private func work(_ index: Int) {
        let sink = MemoryConnection(
            workers[index].connection, extensions: extensions, plan: plan, board: board, pace: pace
        ) { OperationLimits() }
        var sender = MemorySender(memory: memory)
        var done = 0
        while let job = awaitJob(index, after: &done) {
            let before = sink.contentBytes
            sink.bounds = job.bounds
            sink.guestStands = job.guestStands
            var failure: MigrationError?
            do throws(MigrationError) {
                while let part = try job.round.beginPart() {
                    let isDone = try sender.send(
                        part, of: job.round.pages, zeroPages: job.zeroPages, to: sink)
                    guard !isDone else { continue }
                    job.round.leave(part)
                    job.round.stop()
                }
                try sender.finish(sink)
            } catch {
                failure = error
            }
            finish(job, bytes: sink.contentBytes &- before, failure)
        }
    }

    /// Waits for a round that this worker has not worked on; nil when there will be none.
    private func awaitJob(_ index: Int, after done: inout Int) -> Job? {
        let number = done
        _ = network.wait(on: workers[index].wakeUp, until: .distantFuture) { [self] in
            state.withLock { $0.number > number || $0.isEnded }
        }
        let (job, latest) = state.withLock { ($0.isEnded ? nil : $0.job, $0.number) }
        done = latest
        return latest > number ? job : nil
    }

    private func finish(_ job: Job, bytes: UInt64, _ failure: MigrationError?) {
        let (isFirstFailure, isLast) = state.withLock { state in
            let isFirst = failure != nil && state.failure == nil
            if isFirst { state.failure = failure }
            state.contentBytes &+= bytes
            state.busyCount -= 1
            return (isFirst, state.busyCount == 0)
        }
        if isFirstFailure {
            // The others stop between two parts, or where they wait for the destination.
            job.round.stop()
            for worker in workers { worker.connection.close(.abrupt) }
        }
        if isLast { roundEnded.signal() }
    }
}
