extension SourceProtocol {
    /// How memory gets to the destination.
    public enum Mode: Equatable, Sendable {
        /// Contents are sent while the guest runs.
        case preCopy
        /// Both ends are on one host; descriptors are handed over.
        case local
    }

    /// When the backends are let go.
    public enum ReleaseMoment: Equatable, Sendable {
        /// With a base-protocol destination, which takes locks when it loads State.
        case beforeState
        /// With ownership: after Ready, so that a failure while loading costs nothing.
        case afterReady
    }
}
