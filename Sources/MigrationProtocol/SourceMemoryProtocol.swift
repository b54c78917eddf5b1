/// The source's side of one memory connection, as a value: what may be sent, and what the answers
/// mean. It does no I/O.
///
/// ```
/// role (and token, answered) -> Memory, ZeroRanges ... as many unanswered as were agreed on
/// ```
///
/// Answers come in the order of the requests. An answer that is no success ends the migration, not
/// only this connection.
public struct SourceMemoryProtocol: Sendable {
    private let extensions: Extensions
    /// Requests on their way whose answer is due, oldest first; nil stands for the token.
    private var pending: [Command?] = []

    /// A memory connection of a migration on which `extensions` were agreed.
    public init(extensions: Extensions) {
        self.extensions = extensions
        pending.reserveCapacity(Limits.requestsInFlight)
    }

    /// Whether the destination wants to see the token, and answers it.
    private var isBound: Bool { extensions.isSuperset(of: [.session, .ownership]) }

    /// The most requests that may be on their way.
    private var limit: Int {
        extensions.contains(.pipelining) ? Limits.requestsInFlight : 1
    }

    /// Requests on their way whose answer is due.
    public var unansweredCount: Int { pending.count }

    /// Whether an answer has to be taken before the next request.
    public var isFull: Bool { pending.count >= limit }

    /// The bytes that open the connection.
    public mutating func introduce(token: SessionToken) -> [UInt8] {
        guard isBound else { return ConnectionRole.memory.encoded }
        pending.append(nil)
        return ConnectionRole.boundMemory.encoded + token.encoded
    }

    /// The header of a table of `rangeCount` ranges.
    ///
    /// - Parameters:
    ///   - command: Memory, or ZeroRanges or MemoryBlocks where that was agreed on.
    ///   - format: how contents are cut; for MemoryBlocks only.
    public mutating func send(
        _ command: Command, rangeCount: Int, format: MemoryBlockFormat? = nil
    ) throws(ProtocolError) -> Request {
        guard Self.commands.contains(command), (command == .memoryBlocks) == (format != nil)
        else { throw .unexpectedCommand(command, state: Self.stateName) }
        guard command.isAllowed(by: extensions), format?.isAllowed(by: extensions) ?? true else {
            throw .notNegotiated(command)
        }
        if isFull, let oldest = pending.first { throw .answerPending(oldest ?? .session) }
        pending.append(command)
        return Request(
            command, length: MemoryRangeTable.byteCount(rangeCount: rangeCount),
            fields: format?.fields ?? HeaderFields())
    }

    /// How many bytes of text follow an answer.
    public func textByteCount(of response: Response) throws(ProtocolError) -> Int {
        guard response.status == .error, extensions.contains(.errorText) else { return 0 }
        return try ProtocolError.wrapping { () throws(FrameError) in
            try Text.byteCount(response.length)
        }
    }

    /// Takes the answer to the oldest request.
    ///
    /// - Returns: why the destination ended the migration; nil when the request was carried out.
    public mutating func answered(
        _ response: Response, text: Span<UInt8>
    ) throws(ProtocolError) -> EndReason? {
        guard !pending.isEmpty else { throw .unexpectedEvent("An answer", state: Self.stateName) }
        let command = pending.removeFirst()
        guard response.status != .ok else { return nil }
        do {
            return try EndReason(answer: response, text: text, to: command ?? .session)
        } catch {
            throw .frame(error)
        }
    }

    static let stateName = "memory connection"

    /// What is sent on a memory connection.
    static let commands: [Command] = [.memory, .zeroRanges, .memoryBlocks]
}
