import LinuxSystem
import MigrationProtocol
import Transport

/// One memory connection at the source. One thread uses it.
final class MemoryConnection<Connection: Channel>: MemorySink {
    /// Limits of every operation.
    var limits: OperationLimits

    /// Bytes of content that were sent.
    private(set) var contentBytes: UInt64 = 0

    private let isWanted: @Sendable () -> Bool
    private let channel: MessageChannel<Connection>
    private let board: ProgressBoard
    private var requests: SourceMemoryProtocol

    /// Takes over a connection.
    ///
    /// - Parameter isWanted: whether the destination still needs what is in memory.
    init(
        _ connection: Connection, extensions: Extensions, board: ProgressBoard,
        within limits: OperationLimits, isWanted: @escaping @Sendable () -> Bool = { true }
    ) {
        self.isWanted = isWanted
        channel = MessageChannel(connection)
        self.board = board
        self.limits = limits
        requests = SourceMemoryProtocol(extensions: extensions)
    }

    /// A few of these fill the longest of fast paths; together with what is on its way they bound
    /// how long the end of a round waits for the slowest connection.
    let batchBytes: UInt64 = 4 << 20

    var isMemoryWanted: Bool { isWanted() }

    /// Says what the connection is for and which migration it belongs to.
    func introduce(token: SessionToken) throws(MigrationError) {
        let bytes = requests.introduce(token: token)
        do throws(TransportError) {
            try channel.connection.send(bytes, within: limits)
        } catch {
            throw MigrationError(error)
        }
        try finish()
    }

    func begin(
        _ table: MemoryRangeTable, _ contents: [MemorySegment]
    ) throws(MigrationError) {
        try send(.memory, table, contents)
        contentBytes &+= table.contentLength
        board.update {
            $0.bytesSent += table.contentLength
            $0.bytesRemaining -= min($0.bytesRemaining, table.contentLength)
        }
    }

    func beginZeros(_ table: MemoryRangeTable) throws(MigrationError) {
        try send(.zeroRanges, table, [])
        board.update { $0.bytesRemaining -= min($0.bytesRemaining, table.contentLength) }
    }

    func finish() throws(MigrationError) {
        while requests.unansweredCount > 0 { try takeAnswer() }
    }

    private func send(
        _ command: Command, _ table: MemoryRangeTable, _ contents: [MemorySegment]
    ) throws(MigrationError) {
        while requests.isFull { try takeAnswer() }
        limits.expectsAnswers = requests.unansweredCount > 0
        let request: Request
        do throws(ProtocolError) {
            request = try requests.send(command, rangeCount: table.count)
        } catch {
            throw .invalidMessage(error)
        }
        do throws(MigrationError) {
            try channel.send(request, payload: table.bytes, contents: contents, within: limits)
        } catch {
            try explain(error)
        }
    }

    /// Sending failed: if the destination has said why, its answer is the better error.
    private func explain(_ error: MigrationError) throws(MigrationError) {
        switch error {
        case .transport(.answeredEarly), .transport(.truncated): break
        default: throw error
        }
        limits.idleSeconds = 1
        do throws(MigrationError) {
            try finish()
        } catch {
            if case .endedByPeer = error { throw error }
        }
        throw error
    }

    private func takeAnswer() throws(MigrationError) {
        let response = try channel.receiveResponse(within: limits)
        let reason: EndReason?
        do {
            let count = try requests.textByteCount(of: response)
            let text = try channel.receivePayload(count, within: limits)
            reason = try requests.answered(response, text: text.span)
        } catch let error as ProtocolError {
            throw .invalidMessage(error)
        } catch let error as MigrationError {
            throw error
        } catch {
            throw .unsupported("\(error)")
        }
        if let reason { throw .endedByPeer(reason) }
    }
}
