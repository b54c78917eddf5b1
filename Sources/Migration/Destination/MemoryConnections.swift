import GuestMemory
import LinuxSystem
import MigrationProtocol
import Synchronization
import Transport

/// The memory connections of one reception: what they may write to, and until when.
///
/// Each is served on a thread of its own (`Reception`), from its introduction until its end. The
/// migration's thread opens the memory to them once the machine is built, and shuts them out
/// before the state is loaded: afterwards none of them writes a byte.
final class MemoryConnections<Outside: Network>: Sendable {
    /// What is written to, and by which rules.
    struct Target: Sendable {
        var memory: GuestRAM
        /// Pages that were written, by whichever connection.
        var written: GrowingPageSet
        var extensions: Extensions
        var rangeLimit: Int
    }

    private struct State {
        var target: Target?
        var isShut = false
        /// Requests that are being carried out.
        var requestCount = 0
        var connections: [Outside.Connection] = []
        /// Why the first of them failed that did not just end.
        var failure: MigrationError?
    }

    /// When the source was last heard of, on whichever connection.
    let activity = PeerActivity()

    private let network: Outside
    private let board: ProgressBoard
    private let state = Mutex(State())

    init(network: Outside, board: ProgressBoard) {
        self.network = network
        self.board = board
    }

    /// Lets memory connections write from now on.
    func open(_ target: Target) {
        state.withLock { $0.target = target }
    }

    /// What receives on one connection, the main one too.
    func makeReceiver() throws(MigrationError) -> MemoryReceiver {
        guard let target = state.withLock({ $0.target }) else {
            throw .invalidConfiguration("memory came before the configuration")
        }
        do throws(RangeError) {
            return try MemoryReceiver(
                memory: target.memory, written: target.written, extensions: target.extensions)
        } catch {
            throw .invalidMessage(.range(error))
        }
    }

    /// Shuts all out, before the state is loaded.
    ///
    /// - Throws: when a request is still being carried out: the source must have waited for its
    ///   answer before it sent the state.
    func shut() throws(MigrationError) {
        let requestCount = state.withLock { state in
            state.isShut = true
            return state.requestCount
        }
        guard requestCount == 0 else {
            throw .invalidConfiguration(
                "the state came while memory was still on its way on \(requestCount) connections")
        }
    }

    /// Ends all connections, after success or failure.
    func end() {
        let connections = state.withLock { state in
            state.isShut = true
            defer { state.connections = [] }
            return state.connections
        }
        for connection in connections { connection.close(.abrupt) }
    }

    /// Receives on a connection that was let in, until it ends.
    ///
    /// - Throws: why this connection cannot go on; the source is told here.
    func serve(
        _ channel: MessageChannel<Outside.Connection>, isBound: Bool, within limits: OperationLimits
    ) throws(MigrationError) {
        let target: Target
        do throws(MigrationError) {
            target = try admit(channel.connection)
        } catch {
            // Only who has agreed on a text can read one.
            let extensions = state.withLock { $0.target?.extensions } ?? []
            let answer = Answer.error("\(error)", extensions: extensions)
            try? channel.send(answer, within: OperationLimits(idleSeconds: 1))
            throw error
        }
        var limits = limits
        limits.activity = activity
        do throws(MigrationError) {
            if isBound { try channel.send(.ok, within: limits) }
            try receive(from: channel, into: target, within: limits)
        } catch {
            if case .transport(.closed) = error { return }
            note(error)
            let answer = Answer.error("\(error)", extensions: target.extensions)
            // The source may be gone, which is why this failed.
            try? channel.send(answer, within: OperationLimits(idleSeconds: 1))
            throw error
        }
    }

    /// Why a memory connection failed. The source ends the migration then, so that the main
    /// connection may tell less.
    var failure: MigrationError? { state.withLock { $0.failure } }

    private func note(_ error: MigrationError) {
        // That one broke says nothing which the main one does not say as well.
        if case .transport = error { return }
        state.withLock { $0.failure = $0.failure ?? error }
    }

    private func admit(_ connection: Outside.Connection) throws(MigrationError) -> Target {
        let target = state.withLock { state -> Target? in
            guard !state.isShut, state.connections.count < Limits.memoryConnections else {
                return nil
            }
            state.connections.append(connection)
            return state.target
        }
        guard let target else {
            throw .invalidConfiguration(
                "a memory connection came at the wrong time, or after "
                    + "\(Limits.memoryConnections) others")
        }
        return target
    }

    private func receive(
        from channel: MessageChannel<Outside.Connection>, into target: Target,
        within limits: OperationLimits
    ) throws(MigrationError) {
        let requests = DestinationMemoryProtocol(
            extensions: target.extensions, rangeLimit: target.rangeLimit)
        var receiver = try makeReceiver()
        while true {
            let request = try channel.receiveRequest(within: limits)
            let action: DestinationMemoryProtocol.Action
            do throws(ProtocolError) {
                action = try requests.receive(request)
            } catch {
                throw .invalidMessage(error)
            }
            try beginRequest()
            do throws(MigrationError) {
                try carryOut(action, by: &receiver, from: channel.connection, within: limits)
            } catch {
                endRequest()
                throw error
            }
            endRequest()
            activity.note(at: network.now)
            try channel.send(.ok, within: limits)
        }
    }

    private func carryOut(
        _ action: DestinationMemoryProtocol.Action, by receiver: inout MemoryReceiver,
        from connection: Outside.Connection, within limits: OperationLimits
    ) throws(MigrationError) {
        switch action {
        case .receiveMemory(let rangeCount):
            let bytes = try receiver.receiveContents(
                rangeCount: rangeCount, from: connection, within: limits)
            board.update { $0.bytesSent += bytes }
        case .receiveZeroRanges(let rangeCount):
            try receiver.receiveZeros(rangeCount: rangeCount, from: connection, within: limits)
        case .receiveBlocks(let rangeCount, let format):
            let bytes = try receiver.receiveBlocks(
                rangeCount: rangeCount, format, from: connection, within: limits)
            board.update { $0.bytesSent += bytes }
        }
    }

    /// A request begins, unless the state came.
    private func beginRequest() throws(MigrationError) {
        let mayBegin = state.withLock { state in
            if !state.isShut { state.requestCount += 1 }
            return !state.isShut
        }
        guard mayBegin else {
            throw .invalidConfiguration("memory came after the state")
        }
    }

    private func endRequest() {
        state.withLock { $0.requestCount -= 1 }
    }
}
