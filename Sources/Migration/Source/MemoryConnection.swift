import ContentCoding
import LinuxSystem
import MigrationProtocol
import Transport

/// One memory connection at the source. One thread uses it.
final class MemoryConnection<Connection: Channel>: MemorySink {
    /// What bounds every operation, asked for before each: the user may change it meanwhile.
    var bounds: @Sendable () -> OperationLimits

    /// Limits of the present operation.
    private var limits: OperationLimits

    /// Whether nobody writes to the memory that is sent.
    var guestStands = false

    /// Bytes of content that were sent.
    private(set) var contentBytes: UInt64 = 0

    /// What is on its way unanswered, oldest first; nil for what has no contents.
    private var onItsWay: [SentContents?] = []

    private struct SentContents {
        var method: CompressionMethod?
        var byteCount: UInt64
    }

    private let encoder: ContentEncoder
    private let pace: MemoryPace
    private let channel: MessageChannel<Connection>
    private let board: ProgressBoard
    private var requests: SourceMemoryProtocol

    /// Takes over a connection.
    ///
    /// - Parameters:
    ///   - plan: how contents go.
    ///   - pace: how fast and how long memory may be sent.
    init(
        _ connection: Connection, extensions: Extensions, plan: ContentPlan, board: ProgressBoard,
        pace: MemoryPace, within bounds: @escaping @Sendable () -> OperationLimits
    ) {
        self.pace = pace
        channel = MessageChannel(connection)
        encoder = ContentEncoder(plan)
        mostBatchBytes = plan.batchBytes ?? Self.plainBatchBytes
        onItsWay.reserveCapacity(Limits.requestsInFlight)
        self.board = board
        self.bounds = bounds
        limits = bounds()
        requests = SourceMemoryProtocol(extensions: extensions)
    }

    /// A few of these fill the longest of fast paths; together with what is on its way they bound
    /// how long the end of a round waits for the slowest connection.
    private static var plainBatchBytes: UInt64 { 4 << 20 }

    /// The most bytes of a batch, whatever the pace.
    private let mostBatchBytes: UInt64

    var batchBytes: UInt64 { min(mostBatchBytes, pace.batchBytes) }

    var isMemoryWanted: Bool { pace.isMemoryWanted() }

    /// Says what the connection is for and which migration it belongs to.
    func introduce(token: SessionToken) throws(MigrationError) {
        let bytes = requests.introduce(token: token)
        if requests.unansweredCount > 0 { onItsWay.append(nil) }
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
        let batch = try encoder.encode(table, contents, guestStands: guestStands)
        let sent = SentContents(method: batch.method, byteCount: table.contentLength)
        // What goes over the wire counts, not what it is made of.
        let stored = batch.blocks?.storedBytes ?? table.contentLength
        pace.awaitTurn(stored)
        if let blocks = batch.blocks {
            try send(
                .memoryBlocks, table, blocks.format, tables: blocks.tables,
                contents: blocks.stored, sent)
        } else {
            try send(.memory, table, nil, tables: table.bytes, contents: contents, sent)
        }
        contentBytes &+= table.contentLength
        board.sent(table.contentLength, stored: stored)
    }

    func beginZeros(_ table: MemoryRangeTable) throws(MigrationError) {
        try send(.zeroRanges, table, nil, tables: table.bytes, contents: [], nil)
        board.sentZeros(table.contentLength)
    }

    func finish() throws(MigrationError) {
        limits = bounds()
        while requests.unansweredCount > 0 { try takeAnswer() }
    }

    private func send(
        _ command: Command, _ table: MemoryRangeTable, _ format: MemoryBlockFormat?,
        tables: [UInt8], contents: [MemorySegment], _ sent: SentContents?
    ) throws(MigrationError) {
        limits = bounds()
        while requests.isFull { try takeAnswer() }
        limits.expectsAnswers = requests.unansweredCount > 0
        let request: Request
        do throws(ProtocolError) {
            request = try requests.send(command, rangeCount: table.count, format: format)
        } catch {
            throw .invalidMessage(error)
        }
        onItsWay.append(sent)
        do throws(MigrationError) {
            try channel.send(request, payload: tables, contents: contents, within: limits)
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
        pace.noteAnswer()
        if let reason { throw .endedByPeer(reason) }
        guard !onItsWay.isEmpty, let sent = onItsWay.removeFirst() else { return }
        encoder.plan.answered(sent.method, contentBytes: sent.byteCount)
    }
}
