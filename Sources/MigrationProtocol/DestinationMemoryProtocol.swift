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
        /// A table of so many ranges, a table of their blocks, and then the blocks.
        case receiveBlocks(rangeCount: Int, MemoryBlockFormat)
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
        guard SourceMemoryProtocol.commands.contains(request.command) else {
            throw .unexpectedCommand(request.command, state: SourceMemoryProtocol.stateName)
        }
        guard request.command.isAllowed(by: extensions) else {
            throw .notNegotiated(request.command)
        }
        let count: Int
        do {
            count = try MemoryRangeTable.rangeCount(length: request.length, limit: rangeLimit)
        } catch {
            throw .range(error)
        }
        switch request.command {
        case .memory: return .receiveMemory(rangeCount: count)
        case .memoryBlocks:
            let format = try MemoryBlockFormat.agreed(in: request, extensions)
            return .receiveBlocks(rangeCount: count, format)
        default: return .receiveZeroRanges(rangeCount: count)
        }
    }
}

extension MemoryBlockFormat {
    /// The format that a MemoryBlocks request announces, if it was agreed on.
    static func agreed(
        in request: Request, _ extensions: Extensions
    ) throws(ProtocolError) -> MemoryBlockFormat {
        let format = try ProtocolError.wrapping { () throws(FrameError) in
            try MemoryBlockFormat(decoding: request.fields)
        }
        guard format.isAllowed(by: extensions) else { throw .notNegotiated(request.command) }
        return format
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

extension DestinationProtocol {
    /// What a request about memory on the main connection asks for.
    func memoryAction(for request: Request) throws(ProtocolError) -> DestinationAction {
        guard request.command != .verify else {
            return .verify(digestCount: try digestCount(of: request))
        }
        let requests = DestinationMemoryProtocol(
            extensions: extensions, rangeLimit: limits.ranges)
        return switch try requests.receive(request) {
        case .receiveMemory(let count): .receiveMemory(rangeCount: count)
        case .receiveZeroRanges(let count): .receiveZeroRanges(rangeCount: count)
        case .receiveBlocks(let count, let format): .receiveBlocks(rangeCount: count, format)
        }
    }

    /// A digest stands for a page or more, of which `limits.ranges` is the number.
    private func digestCount(of request: Request) throws(ProtocolError) -> Int {
        guard request.length.isMultiple(of: UInt64(MemoryDigest.byteCount)) else {
            throw .frame(.invalidLength(command: .verify, length: request.length))
        }
        let count = request.length / UInt64(MemoryDigest.byteCount)
        guard let count = Int(exactly: count), count <= limits.ranges else {
            throw .frame(
                .overLimit(field: "Digests", value: count, limit: UInt64(max(limits.ranges, 0))))
        }
        return count
    }
}
