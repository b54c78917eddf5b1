/// What the source has to do next.
public enum SourceAction: Equatable, Sendable {
    /// Go on with the next message.
    case goOn
    /// Close, connect once more and send Start again, which now offers no extensions.
    case reconnectWithoutExtensions
    /// "Ready": the destination has everything. Release the guest's backends (a base-protocol
    /// destination had them released before State), then send `takeover`.
    case release
    /// The guest is the source's again: send the farewell if there is one, close, take everything
    /// back and go on. The farewell tells the destination why; nothing depends on its arrival.
    case recover(EndReason, farewell: [UInt8])
    /// In doubt. Keep everything, run nothing; inquire over new connections until the answer is
    /// running or returned.
    case inquire
    /// In doubt, and the destination cannot be asked: keep everything, run nothing; tell the user.
    case awaitOperator
    /// The guest is the destination's: nothing of it is left here.
    case end
    /// The guest ran at the destination, on shared memory, and the destination is gone.
    case guestLost(EndReason)
}

/// How a person ends a doubt, having been warned of what it means.
public enum OperatorResolution: Equatable, Sendable {
    /// The guest does not run at the destination: go on with it here.
    case takeBack
    /// The guest runs at the destination: forget it here.
    case giveUp
}

/// Where a source stands, for logs and progress.
public enum SourcePhase: String, CaseIterable, Sendable {
    /// Start is to be sent or answered.
    case negotiating = "Negotiating"
    /// Session, descriptors and Config are sent.
    case configuring = "Configuring"
    /// Memory is sent while the guest runs (in a local migration nothing is).
    case preCopy = "PreCopy"
    /// The guest is paused and the last memory is sent.
    case finalRound = "FinalRound"
    /// State was sent.
    case awaitReady = "AwaitReady"
    /// The destination is ready, the source lets go.
    case releasing = "Releasing"
    /// Takeover is on its way.
    case pointOfNoReturn = "PointOfNoReturn"
    /// The answer to Takeover was lost.
    case inDoubt = "InDoubt"
    /// The guest is the destination's.
    case gone = "Gone"
    /// The guest is the source's again.
    case recovered = "Recovered"
    /// The guest ran at a destination which is dead.
    case lost = "Lost"
}
