/// What the destination has to do with the request that it just received.
///
/// Every action but `send` and `refuse` reads the payload, does the work, and then calls the method
/// of `DestinationProtocol` that is named with it, or `fail(_:)` if the work failed.
public enum DestinationAction: Equatable, Sendable {
    /// Send this answer; there is nothing else to do.
    case send(Answer)
    /// Read a session token, then `tokenReceived(_:)`.
    case receiveToken
    /// Receive the four bytes of a `DescriptorPayload` with one descriptor, then `finishStep()`.
    case receiveMemoryDescriptor
    /// Receive the four bytes of a `RunFlag` with one descriptor, then `finishStep()`.
    case receiveRunFlag
    /// Read a configuration and build the guest from it, then `finishStep()`.
    case receiveConfig(byteCount: Int)
    /// Read a table and the contents of its ranges into guest memory, then `finishStep()`.
    case receiveMemory(rangeCount: Int)
    /// Read a table and make its ranges zero, then `finishStep()`.
    case receiveZeroRanges(rangeCount: Int)
    /// Read a table, a table of blocks and the blocks into guest memory, then `finishStep()`.
    case receiveBlocks(rangeCount: Int, MemoryBlockFormat)
    /// Read so many digests and compare them with those of guest memory, then `finishStep()`.
    case verify(digestCount: Int)
    /// Read the state and load it, bind what can be bound, then `finishStep()`: "Ready".
    case loadState(byteCount: Int)
    /// Read the back-end state, bind the rest, take the locks, then `commitRunning()`.
    case takeOver(Takeover)
    /// Read the reason's text, discard the guest, then `cancellationReceived(text:)`.
    case receiveCancellation(EndReason.Code, textBytes: Int)
    /// The session is refused already: skip the payload, send this answer once more, close.
    case refuse(Answer, payloadBytes: UInt64)
}

/// What the destination has to do when its main connection broke.
public enum DestinationLoss: Equatable, Sendable {
    /// The guest stays with the source, and that is recorded: let go of everything.
    case discard
    /// The loss changes nothing: a guest that is taken over is taken over without its source, one
    /// that runs goes on.
    case goOn
}

/// How an inquiry is answered.
public enum InquiryReaction: Equatable, Sendable {
    /// Send the answer.
    case answer(InquiryAnswer)
    /// The inquiry ended the migration: let go of everything that is bound, then send the answer.
    case discardAndAnswer(InquiryAnswer)
}

/// Where a destination stands, for logs and progress.
public enum DestinationPhase: String, CaseIterable, Sendable {
    /// Waits for Start.
    case listening = "Listening"
    /// Start was accepted.
    case started = "Started"
    /// Descriptors of memory were received (local migration).
    case memoryDescriptors = "MemoryDescriptors"
    /// The guest exists, unbound and without state; memory may come.
    case configured = "Configured"
    /// State is being loaded.
    case loading = "Loading"
    /// All is here; the source holds the guest until it says otherwise.
    case prepared = "Prepared"
    /// The source has let go; the rest is being bound.
    case takingOver = "TakingOver"
    /// The guest is this end's, running or paused.
    case running = "Running"
    /// The guest will never run here in this session.
    case returned = "Returned"
    /// The source called it off.
    case cancelled = "Cancelled"
}
