/// A request that the source wants to send; `SourceProtocol` says whether it may.
public enum SourceMessage: Equatable, Sendable {
    /// Opens the migration.
    case start
    /// Tells the session token; with ownership, the first message after Start.
    case session
    /// Hands over the descriptor of a memory slot.
    case memoryDescriptor
    /// Hands over the page with the run flag.
    case runFlag
    /// The configuration.
    case config(byteCount: Int)
    /// A table of so many ranges, followed by their contents.
    case memory(rangeCount: Int)
    /// A table of so many ranges that are all zeros.
    case zeroRanges(rangeCount: Int)
    /// A table of so many ranges, followed by a table of their blocks and the blocks.
    case memoryBlocks(rangeCount: Int, MemoryBlockFormat)
    /// So many digests of guest memory.
    case verify(digestCount: Int)
    /// The state of the paused guest.
    case state(byteCount: Int)
    /// The guest is let go: the point of no return. Becomes Complete or CompletePaused where the
    /// destination speaks the base protocol.
    case takeover(Takeover)
}

extension SourceMessage {
    /// The header of this message for a destination with which `agreed` was agreed on.
    func request(offer: StartOffer, agreed: Extensions) -> Request {
        switch self {
        case .start: offer.request
        case .session: Request(.session, length: UInt64(SessionToken.byteCount))
        case .memoryDescriptor:
            Request(.memoryDescriptor, length: UInt64(DescriptorPayload.byteCount))
        case .runFlag: Request(.runFlag, length: UInt64(DescriptorPayload.byteCount))
        case .config(let byteCount): Request(.config, length: UInt64(clamping: byteCount))
        case .memory(let rangeCount):
            Request(.memory, length: MemoryRangeTable.byteCount(rangeCount: rangeCount))
        case .zeroRanges(let rangeCount):
            Request(.zeroRanges, length: MemoryRangeTable.byteCount(rangeCount: rangeCount))
        case .memoryBlocks(let rangeCount, let format):
            Request(
                .memoryBlocks, length: MemoryRangeTable.byteCount(rangeCount: rangeCount),
                fields: format.fields)
        case .verify(let count):
            Request(.verify, length: UInt64(clamping: count) &* UInt64(MemoryDigest.byteCount))
        case .state(let byteCount): Request(.state, length: UInt64(clamping: byteCount))
        case .takeover(let takeover):
            agreed.contains(.ownership) ? takeover.request : takeover.baseRequest
        }
    }
}
