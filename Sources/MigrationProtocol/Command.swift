/// What a request asks for.
///
/// Codes 1 to 9 are those of the base protocol. Codes from 0x4D00 belong to extensions and are
/// sent only where the extension was agreed on. Code 0 is never valid.
public enum Command: UInt16, CaseIterable, Sendable {
    /// Opens a migration and negotiates; see `StartOffer`.
    case start = 1
    /// Carries the configuration of the guest; see `ConfigPayload`.
    case config = 2
    /// Carries the state of the paused guest. Its answer means: everything is here ("Ready").
    case state = 3
    /// Carries a range table and then the contents of the ranges.
    case memory = 4
    /// Base protocol: the destination may run the guest.
    case complete = 5
    /// Base protocol: the source calls the migration off.
    case abandon = 6
    /// Hands over the descriptor of one memory slot (local migration).
    case memoryDescriptor = 7
    /// Base protocol: the guest is the destination's and stays paused.
    case completePaused = 8
    /// Post-copy: the destination asks for a page.
    case pageFault = 9

    /// Extension ownership: tells the destination the token that inquiries will show.
    case session = 0x4D00
    /// Extension zero ranges: a range table whose pages are all zeros.
    case zeroRanges = 0x4D01
    /// Extension ownership: the source has let go; carries back-end state.
    case takeover = 0x4D02
    /// Extension cancel: the source calls the migration off with a reason.
    case cancel = 0x4D03
    /// Extension ownership: hands over the page with the flag "the guest has run here" (local
    /// migration); see `RunFlag`.
    case runFlag = 0x4D04
    /// Extension checksums or compression: a range table, a table of blocks, then the blocks.
    case memoryBlocks = 0x4D05
    /// Extension checksums: the digests of all guest memory, to be compared before State.
    case verify = 0x4D06
}

extension Command {
    /// Whether the command may be sent where these extensions were agreed on.
    func isAllowed(by agreed: Extensions) -> Bool {
        let needed = servedExtensions
        return needed.isEmpty || !needed.isDisjoint(with: agreed)
    }

    /// Of these one must have been agreed on; empty for the base protocol.
    private var servedExtensions: Extensions {
        switch self {
        case .session, .takeover, .runFlag: .ownership
        case .zeroRanges: .zeroRanges
        case .cancel: .cancel
        case .memoryBlocks: [.checksums, .compression]
        case .verify: .checksums
        case .start, .config, .state, .memory, .complete, .abandon, .memoryDescriptor,
            .completePaused, .pageFault:
            []
        }
    }
}

extension Command: CustomStringConvertible {
    /// The name as `docs/protocol.md` writes it.
    public var description: String {
        switch self {
        case .start: "Start"
        case .config: "Config"
        case .state: "State"
        case .memory: "Memory"
        case .complete: "Complete"
        case .abandon: "Abandon"
        case .memoryDescriptor: "MemoryFd"
        case .completePaused: "CompletePaused"
        case .pageFault: "PageFault"
        case .session: "Session"
        case .zeroRanges: "ZeroRanges"
        case .takeover: "Takeover"
        case .cancel: "Cancel"
        case .runFlag: "RunFlag"
        case .memoryBlocks: "MemoryBlocks"
        case .verify: "Verify"
        }
    }
}
