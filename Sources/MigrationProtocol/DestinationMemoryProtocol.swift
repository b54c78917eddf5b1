/// The destination's side of one memory connection that was let in, as a value. It does no I/O.
public struct DestinationMemoryProtocol: Sendable {
    private let extensions: Extensions
    private let rangeLimit: Int

    /// What a request asks for.
    public enum Action: Equatable, Sendable {
        /// A table of so many ranges, and then their contents.
        case receiveMemory(rangeCount: Int)
        /// A table of so many ranges that are all zeros.
        case receiveZeroRanges(rangeCount: Int)
    }

    /// A memory connection of a migration on which `extensions` were agreed.
    ///
    /// - Parameter rangeLimit: the most ranges in one table, as on the main connection.
    public init(extensions: Extensions, rangeLimit: Int) {
        self.extensions = extensions
        self.rangeLimit = rangeLimit
    }

    /// Takes the next request.
    public func receive(_ request: Request) throws(ProtocolError) -> Action {
        guard request.command == .memory || request.command == .zeroRanges else {
            throw .unexpectedCommand(request.command, state: SourceMemoryProtocol.stateName)
        }
        guard extensions.isSuperset(of: request.command.requiredExtensions) else {
            throw .notNegotiated(request.command)
        }
        let count: Int
        do {
            count = try MemoryRangeTable.rangeCount(length: request.length, limit: rangeLimit)
        } catch {
            throw .range(error)
        }
        return request.command == .memory
            ? .receiveMemory(rangeCount: count) : .receiveZeroRanges(rangeCount: count)
    }
}

extension DestinationProtocol {
    /// Whether a memory connection that shows `token` may write to the guest's memory now; `token`
    /// is nil for one of the base protocol, which has none.
    ///
    /// Where the token was agreed on, nothing gets in without it.
    public func admitsMemoryConnection(showing token: SessionToken?) -> Bool {
        guard phase == .configured, !isLocal else { return false }
        guard extensions.isSuperset(of: [.session, .ownership]) else {
            return token == nil && extensions.isEmpty
        }
        guard let token else { return false }
        return matches(token)
    }
}
