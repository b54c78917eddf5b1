/// The source's word that it has let the guest go, and how the destination shall have it.
public struct Takeover: Equatable, Sendable {
    /// Bit 0 of bytes 2...3 of the request: the guest arrives paused. All other bits are zero.
    private static let keepPausedBit: UInt16 = 1

    /// Bytes of back-end state after the request; 0 from a base-protocol source.
    public let backendStateBytes: Int
    /// Whether the guest was paused by its owner and stays so.
    public let keepPaused: Bool

    /// A takeover from its parts.
    public init(backendStateBytes: Int, keepPaused: Bool) {
        self.backendStateBytes = backendStateBytes
        self.keepPaused = keepPaused
    }

    /// Reads Takeover, Complete or CompletePaused, which differ only in what they can carry.
    init(decoding request: Request, limit: Int) throws(FrameError) {
        switch request.command {
        case .takeover:
            guard request.fields.first & ~Self.keepPausedBit == 0 else {
                throw .invalidField(name: "Takeover flags", value: UInt64(request.fields.first))
            }
            guard let count = Int(exactly: request.length), count <= limit else {
                throw .overLimit(
                    field: "Back-end state", value: request.length, limit: UInt64(limit))
            }
            backendStateBytes = count
            keepPaused = request.fields.first == Self.keepPausedBit
        case .complete where request.length == 0, .completePaused where request.length == 0:
            backendStateBytes = 0
            keepPaused = request.command == .completePaused
        default:
            throw .invalidLength(command: request.command, length: request.length)
        }
    }

    /// The request of the ownership extension.
    var request: Request {
        Request(
            .takeover, length: UInt64(backendStateBytes),
            fields: HeaderFields(first: keepPaused ? Self.keepPausedBit : 0))
    }

    /// The request of the base protocol, which has no place for back-end state.
    var baseRequest: Request { Request(keepPaused ? .completePaused : .complete) }
}
